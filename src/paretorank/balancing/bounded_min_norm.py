"""Min-norm weights with a lower bound per task (PE-LTR).

Source: Lin et al., A Pareto-Efficient Algorithm for Multiple Objective Optimization in E-Commerce
    Recommendation, RecSys 2019, section 3: minimize w^T M w with sum w = 1 and w_k >= c_k.
Two solvers. `exact` substitutes w = c + r v with r = 1 - sum c and v in the simplex: v is the
min-norm solution for the gradients r g_k + sum_j c_j g_j. `two_step` is the paper's: solve without
v >= 0, then take the nearest v of the simplex. For two tasks both agree; for more, the paper's is
often not the optimum. We deviate in `two_step`: least squares, as the paper's system is singular
for gradients that depend on each other.
Shapes: T tasks.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from paretorank.balancing.min_norm import min_norm_weights
from paretorank.balancing.shortest_solution import shortest_solution
from paretorank.balancing.simplex import project_onto_simplex
from paretorank.foundation.errors import ConfigError

ROUNDING = 1e-9  # by which written bounds such as 0.1 + 0.2 + 0.7 may miss a sum of 1
RELATIVE_CUT_OFF = 1e-12  # of singular values that are 0 but for rounding

Solver = Literal["exact", "two_step"]


def bounded_min_norm_weights(
    gramian: Float[Tensor, "*batch T T"], bounds: Float[Tensor, " T"], *, solver: Solver = "exact"
) -> Float64[Tensor, "*batch T"]:
    """Return w with sum 1, w >= bounds, and the least w^T M w for every Gramian M.

    Bounds that sum to 1 leave no choice and are returned.

    Raises:
        ConfigError: A bound is negative, or the bounds sum to more than 1.
        ValueError: There is no task, or a Gramian is not finite.
    """
    bounds = bounds.to(gramian.device, torch.float64)
    free = free_weight(bounds)
    gramian = gramian.detach().double()
    if not gramian.isfinite().all():
        raise ValueError("`gramian` must be finite.")
    if solver == "two_step":
        return bounds + project_onto_simplex(_relaxed(gramian, bounds, free), free)
    if free == 0.0:
        return bounds.expand(gramian.shape[:-1])
    cross = (gramian @ bounds)[..., None]
    square = bounds @ cross
    reduced = free**2 * gramian + free * (cross + cross.mT) + square[..., None]
    return bounds + free * min_norm_weights(reduced)


def free_weight(bounds: Float64[Tensor, " T"], names: Sequence[str] = ()) -> float:
    """Return what the bounds leave to be given out.

    Args:
        bounds: least share of each task.
        names: of the tasks, for messages.

    Raises:
        ConfigError: a bound is negative, or they sum to more than 1.
    """
    free = 1.0 - float(bounds.sum())
    if float(bounds.min()) < 0.0 or free < -ROUNDING:
        listed = [f"{bound:g}" for bound in bounds.tolist()]
        if names:
            listed = [f"{name} = {bound}" for name, bound in zip(names, listed, strict=True)]
        raise ConfigError(
            "`balancer.bounds` must not be negative and must sum to at most 1, "
            f"got {', '.join(listed)}, which sum to {float(bounds.sum()):.6g}.",
            hint="A bound is the least share of a task; what the bounds leave is given out freely.",
        )
    return free if free > ROUNDING else 0.0


def _relaxed(
    gramian: Float64[Tensor, "*batch T T"], bounds: Float64[Tensor, " T"], free: float
) -> Float64[Tensor, "*batch T"]:
    """Solve [[M, e], [e^T, 0]] (v, m) = (-M c, 1 - sum c) for v, with M scaled to at most 1."""
    n_tasks = len(bounds)
    largest = gramian.diagonal(dim1=-2, dim2=-1).amax(dim=-1)[..., None, None]
    scaled = gramian / torch.where(largest > 0, largest, 1.0)
    system = torch.nn.functional.pad(scaled, (0, 1, 0, 1), value=1.0)
    system[..., -1, -1] = 0.0
    right = torch.nn.functional.pad(-(scaled @ bounds), (0, 1), value=free)[..., None]
    return shortest_solution(system, right, cut_off=RELATIVE_CUT_OFF)[..., :n_tasks, 0]

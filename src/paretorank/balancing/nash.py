"""Nash bargaining weights (Nash-MTL, and FairGrad with alpha = 1).

Source: Navon et al., Multi-Task Learning as a Bargaining Game, ICML 2022, claim 3.1: the weights
    a > 0 with M a = 1 / a, where M is the Gramian of the gradients.
We deviate: instead of linearizing, damped Newton on the strictly convex a^T M a / 2 - sum log a_k,
whose minimum the weights are. It has none where some mix of the gradients vanishes: there, a
Pareto-stationary point, the bargaining has nothing to give and all weights are 0.
The length of the direction is limited as in the authors' code. It does not depend on the lengths of
the gradients, so the limit holds all the time, and at representations it is large.
Shapes: T tasks, P present tasks.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Float64
from pydantic import PositiveFloat
from torch import Tensor
from typing_extensions import override

from paretorank.balancing.base import BalancedTasks
from paretorank.balancing.gradient_balancer import (
    GramianBalancer,
    PeriodicSection,
    SeenGradients,
)
from paretorank.balancing.min_norm import min_norm_weights

STATIONARY = 1e-12  # squared length of the shortest mix of unit gradients that is rounding
QUADRATIC = 0.25  # Newton decrement from which full steps converge quadratically
CONVERGED = 1e-9  # Newton decrement before the last step, which squares it
ROUNDING = 4 * np.finfo(np.float64).eps  # of each term of the equations
MOST_STEPS = 200  # about 10 are needed, up to 100 next to a stationary point


class NashConfig(PeriodicSection):
    """Hyper-parameters of Nash-MTL."""

    kind: Literal["nash"] = "nash"
    max_length: PositiveFloat = 1.0
    """Longest direction; without a limit its length is the square root of the number of tasks."""

    @override
    def make(self, tasks: BalancedTasks) -> "Nash":
        return Nash(self, tasks.names)


class Nash(GramianBalancer):
    """Descends where the product of the tasks' gains is largest."""

    def __init__(self, config: NashConfig, task_names: Sequence[str]) -> None:
        super().__init__(task_names, at=config.at, every_steps=config.every_steps)
        self.config = config

    @override
    def weigh(self, seen: SeenGradients) -> Float[Tensor, " P"]:
        shrink = min(1.0, self.config.max_length / len(seen.tasks) ** 0.5)
        return shrink * nash_weights(seen.gramian)


def nash_weights(gramian: Float[Tensor, "T T"]) -> Float64[Tensor, " T"]:
    """Return the weights; along their mix every task gains 1 / weight, and its squared length is T.

    That length is the same however long the gradients are: it does not fade towards an optimum, so
    a limit on the length or a decaying learning rate has to. A zero gradient makes all weights 0.

    Raises:
        ValueError: There is no task, the Gramian is not finite, or it is no Gramian.
    """
    if min_norm_square(gramian) <= STATIONARY:
        return torch.zeros_like(gramian[0], dtype=torch.float64)
    lengths = gramian.detach().double().diagonal().sqrt()
    cosines = (gramian.detach().double() / lengths / lengths[:, None]).cpu().numpy()
    scaled = torch.from_numpy(_bargain(cosines)).to(gramian.device)
    return scaled / lengths


def min_norm_square(gramian: Float[Tensor, "T T"]) -> float:
    """Return the squared length of the shortest mix of the gradients, each divided by its length.

    0 if there is a zero gradient.
    """
    gramian = gramian.detach().double()
    lengths = gramian.diagonal().clamp(min=0.0).sqrt()
    if not bool((lengths > 0).all()):
        return 0.0 if gramian.isfinite().all() else float(min_norm_weights(gramian).sum())
    cosines = gramian / lengths / lengths[:, None]
    weights = min_norm_weights(cosines)
    return float(weights @ cosines @ weights)


def _bargain(cosines: Float64[np.ndarray, "T T"]) -> Float64[np.ndarray, " T"]:
    """Minimize by Newton's method in the relative change of each weight."""
    n_tasks = len(cosines)
    weights = np.full(n_tasks, np.sqrt(n_tasks / cosines.sum()))  # the best of equal weights
    for _ in range(MOST_STEPS):
        scaled = cosines * weights * weights[:, None]
        descent = 1.0 - scaled.sum(axis=1)
        step = np.linalg.solve(scaled + np.eye(n_tasks), descent)
        decrement = float(np.sqrt(max(descent @ step, 0.0)))
        weights = weights * (1.0 + step / (1.0 if decrement < QUADRATIC else 1.0 + decrement))
        if decrement < CONVERGED + ROUNDING * n_tasks * scaled.max():
            return weights
    raise ValueError("`gramian` must be the Gramian of some gradients.")

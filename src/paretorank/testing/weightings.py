"""What every rule promises that turns the Gramian of task gradients into task weights.

Shapes: T tasks, P parameters. J [T, P] holds the gradient of each task, the Gramian is J J^T, the
step goes against J^T w, and Gramian w is how much that lowers each loss.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from paretorank.testing.contract import (
    require,
    require_close,
    require_no_global_random_numbers,
    require_shape,
)

FEWEST_TASKS = 3
N_PARAMETERS = 8
SCALES = (1e6, 1e-6)
_UNITS = (10.0, 0.1, 3.0)


def check_weighting(
    weights_of_gramian: Callable[[Float[Tensor, "T T"]], Float[Tensor, " T"]],
    *,
    n_tasks: int = 3,
    is_random: bool = False,
    non_conflicting: bool = False,
    scale_free: bool = False,
    stationary: bool = False,
    tolerance: float = 1e-6,
) -> None:
    """Check a rule on Gramians in double precision: ordinary, conflicting and degenerate ones.

    Args:
        weights_of_gramian: the rule; takes any number of tasks.
        n_tasks: three or more, to have an ordinary task beside a degenerate pair.
        is_random: the rule draws numbers, so that order and repetition may matter.
        non_conflicting: no task's loss may rise along the step, to first order.
        scale_free: a longer or shorter gradient of one task must not change the direction.
        stationary: the weights must be those of the shortest convex combination of the gradients.
        tolerance: relative error of the rule, for solvers that iterate.

    Raises:
        ContractError: names the promise that is broken.
        ValueError: there are too few tasks.
    """
    if n_tasks < FEWEST_TASKS:
        raise ValueError(f"`n_tasks` must be three or more, got {n_tasks}.")
    check = _Check(weights_of_gramian, n_tasks, tolerance)
    ordinary, degenerate = _ordinary(n_tasks), _degenerate(n_tasks)
    single = weights_of_gramian(torch.tensor([[4.0]]).double())
    require_shape(single, (1,), "The weights of a single task")
    require(single.isfinite().all(), "The weight of a single task must be finite.")
    require((single > 0).all(), "The weight of a single task must be above 0.")
    for name, gramian in {**ordinary, **degenerate, **_uneven(n_tasks)}.items():
        check.legal(name, gramian)
    if not is_random:
        for name, gramian in {**ordinary, **degenerate}.items():
            check.order(name, gramian, is_unique=name in ordinary)
    for name, gramian in {**ordinary, **degenerate}.items():
        if non_conflicting:
            check.conflicts(name, gramian)
        if stationary:
            check.shortest(name, gramian)
    if scale_free:
        for name, gramian in ordinary.items():
            check.units(name, gramian)


def _ordinary(n_tasks: int) -> dict[str, Tensor]:
    """Return Gramians of full rank."""
    generator = torch.Generator().manual_seed(0)
    gradients = [
        torch.randn(n_tasks, N_PARAMETERS + n_tasks, generator=generator).double() for _ in range(4)
    ]
    found = {f"random gradients {at}": j @ j.mT for at, j in enumerate(gradients)}
    # Each pair at the same angle, wider than a right one; at -1 / (T - 1) they would be dependent.
    cosine = -0.8 / (n_tasks - 1)
    angles = (1 - cosine) * torch.eye(n_tasks).double() + cosine
    lengths = torch.arange(1, n_tasks + 1).double()
    found["conflicting gradients"] = lengths.unsqueeze(1) * angles * lengths
    found["orthogonal gradients"] = lengths.square().diag()
    return found


def _degenerate(n_tasks: int) -> dict[str, Tensor]:
    """Return Gramians of the cases that solvers stumble over."""
    generator = torch.Generator().manual_seed(1)
    plain = torch.randn(n_tasks, N_PARAMETERS, generator=generator).double()
    zero, twins, opposed, flat = (plain.clone() for _ in range(4))
    zero[1] = 0.0
    twins[-1] = twins[0]
    opposed[-1] = -opposed[0]
    flat[:, n_tasks - 1 :] = 0.0
    rows = {
        "a gradient of zero": zero,
        "two equal gradients": twins,
        "two opposed gradients": opposed,
        "dependent gradients": flat,
    }
    for scale in SCALES:
        rows[f"gradients times {scale:g}"] = plain * scale
    return {name: j @ j.mT for name, j in rows.items()}


def _uneven(n_tasks: int) -> dict[str, Tensor]:
    """Return Gramians so uneven that rounding hides the short gradients from the long one."""
    generator = torch.Generator().manual_seed(2)
    plain = torch.randn(n_tasks, N_PARAMETERS, generator=generator).double()
    found = {"no gradient at all": torch.zeros(n_tasks, n_tasks).double()}
    for scale in SCALES:
        rows = plain.clone()
        rows[0] *= scale
        found[f"one gradient times {scale:g}"] = rows @ rows.mT
    return found


class _Check:
    def __init__(self, rule: Callable[[Tensor], Tensor], n_tasks: int, tolerance: float) -> None:
        self.rule, self.n_tasks, self.tolerance = rule, n_tasks, tolerance

    def legal(self, name: str, gramian: Tensor) -> None:
        given = gramian.clone()
        weights = self.rule(given)
        require_shape(weights, (self.n_tasks,), f"{name}: the weights")
        require(weights.isfinite().all(), f"{name}: the weights must be finite.")
        require(torch.equal(given, gramian), f"{name}: the Gramian must not be changed.")

    def order(self, name: str, gramian: Tensor, *, is_unique: bool) -> None:
        """Compare the weights, or their effect where several weights have the same."""
        order = [*range(1, self.n_tasks), 0]
        weights = self.rule(gramian)
        require_no_global_random_numbers(lambda: self.rule(gramian), "The rule")
        again = self.rule(gramian)
        require(torch.equal(weights, again), f"{name}: the rule must always give the same weights.")
        moved_gramian = gramian[order][:, order]
        moved = self.rule(moved_gramian)
        message = f"{name}: the order of the tasks must not matter."
        if is_unique:
            require_close(moved, weights[order], message, tolerance=self.tolerance)
        size = self.effect_size(gramian, weights)
        found = moved_gramian @ moved / size[order]
        require_close(found, (gramian @ weights / size)[order], message, tolerance=self.tolerance)

    def conflicts(self, name: str, gramian: Tensor) -> None:
        weights = self.rule(gramian)
        relative = gramian @ weights / self.effect_size(gramian, weights)
        message = f"{name}: no loss may rise along the step."
        require((relative >= -self.tolerance).all(), message)

    def effect_size(self, gramian: Tensor, weights: Tensor) -> Tensor:
        """Return the largest effect on each task that parts of these lengths could have."""
        lengths = gramian.diagonal().sqrt()
        parts = (weights.abs() * lengths).sum()
        return (lengths * parts).clamp(min=torch.finfo(gramian.dtype).tiny)

    def shortest(self, name: str, gramian: Tensor) -> None:
        """Check the conditions of the point of the convex hull that is nearest to zero."""
        weights = self.rule(gramian)
        inside = (weights >= -self.tolerance).all() and (weights.sum() - 1).abs() <= self.tolerance
        require(inside, f"{name}: the weights must be shares that sum to 1.")
        effect = gramian @ weights
        square = weights @ effect
        room = self.tolerance * self.effect_size(gramian, weights).max()
        message = f"{name}: a shorter combination of the gradients exists."
        require((effect >= square - room).all(), message)
        used = weights > self.tolerance
        require((effect[used] <= square + room).all(), message)

    def units(self, name: str, gramian: Tensor) -> None:
        unit = torch.tensor([_UNITS[task % len(_UNITS)] for task in range(self.n_tasks)]).double()
        scaled = unit * self.rule(unit.unsqueeze(1) * gramian * unit)
        plain = self.rule(gramian)
        message = f"{name}: the length of one gradient must not change the direction."
        require_close(
            scaled / scaled.norm(), plain / plain.norm(), message, tolerance=self.tolerance
        )

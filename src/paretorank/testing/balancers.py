"""What every loss balancer promises.

Shapes: N steps, T tasks.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from paretorank.balancing import LossBalancer
from paretorank.testing.contract import (
    require,
    require_close,
    require_no_global_random_numbers,
    require_shape,
)

N_STEPS = 8
LEARNING_RATE = 0.01
UNIT = 1000.0
EXTREMES = (1e6, 1e-6, torch.nan, 1.0, 1e-6)
_FINITE_STEP = 1e-6


def check_balancer(
    config: Any,
    *,
    task_names: Sequence[str] = ("a", "b", "c"),
    unit_keeps: Literal["shares", "weights"] | None = None,
    is_random: bool = False,
    stops_gradient: bool = False,
) -> None:
    """Check a balancer of losses on made-up courses of positive losses.

    What a balancer knows about a task is looked for in tensors whose first axis is the task, and in
    lists of modules or parameters with one entry per task.

    Args:
        config: has `build(task_names=..., balance_factors=..., generator=...)`, or is a function
            with these arguments. If it names tasks, then only the first of `task_names`.
        task_names: two or more tasks.
        unit_keeps: what measuring one loss in another unit must leave alone: the shares of the
            tasks in the sum of weight times loss, the weights, or nothing.
        is_random: weights depend on the generator.
        stops_gradient: the total has factors that depend on the losses but count as constants; its
            slope is then not compared with the weights.

    Raises:
        ContractError: names the promise that is broken.
    """
    check = _Check(getattr(config, "build", config), tuple(task_names), is_random=is_random)
    check.total()
    check.randomness()
    check.alone()
    for task in range(check.n_tasks):
        check.absent(task)
    check.nothing()
    check.state()
    check.extremes()
    if not is_random:
        check.order()
    if not stops_gradient:
        check.slopes()
    check.parameters()
    if unit_keeps is not None:
        check.units(unit_keeps)


class _Run:
    """A balancer with the optimizer of its parameters."""

    def __init__(self, balancer: LossBalancer) -> None:
        self.balancer = balancer
        own = list(balancer.parameters())
        self.optimizer = torch.optim.Adam(own, lr=LEARNING_RATE) if own else None

    def step(self, losses: Tensor, after: Tensor) -> Tensor:
        """Return the weights of one training step.

        Args:
            losses: before the step.
            after: on the same rows after it.
        """
        self.balancer.zero_grad()
        weights = _weights(self.balancer, losses)
        if self.optimizer is not None:
            self.optimizer.step()
        self.balancer.after_step(after)
        return weights

    def steps(self, course: Tensor) -> Tensor:
        return torch.stack([self.step(*pair) for pair in _with_next(course)])


class _Check:
    def __init__(
        self, build: Callable[..., LossBalancer], names: tuple[str, ...], *, is_random: bool
    ) -> None:
        self.build, self.names, self.is_random = build, names, is_random
        self.n_tasks = len(names)

    def balancer(self, *, seed: int = 0, order: Sequence[int] | None = None) -> LossBalancer:
        tasks = list(range(self.n_tasks) if order is None else order)
        return self.build(
            task_names=tuple(self.names[task] for task in tasks),
            balance_factors=torch.tensor([1 / (1 + task) for task in tasks]),
            generator=torch.Generator().manual_seed(seed),
        )

    def run(self, *, seed: int = 0, order: Sequence[int] | None = None) -> _Run:
        return _Run(self.balancer(seed=seed, order=order).double())

    def course(self, *, seed: int = 0) -> Tensor:
        """Return losses [N, T] that fall at different rates, with some noise."""
        noise = torch.rand(
            N_STEPS, self.n_tasks, generator=torch.Generator().manual_seed(seed)
        ).double()
        task = torch.arange(self.n_tasks).double()
        falling = (-torch.arange(N_STEPS).double().unsqueeze(1) * (0.02 + 0.05 * task)).exp()
        return (0.3 + task) * falling * (0.9 + 0.2 * noise)

    def trained(self) -> LossBalancer:
        run = self.run()
        run.steps(self.course())
        return run.balancer

    def total(self) -> None:
        balancer = self.balancer().double()
        losses = self.course()[0].requires_grad_()
        total = balancer(losses)
        require_shape(total, (), "The total")
        require(total.isfinite(), "The total must be finite.")
        weights = self.run().steps(self.course())
        require(weights.isfinite().all(), "The weights must be finite.")
        try:
            balancer(losses.repeat(2))
        except ValueError:
            return
        require(condition=False, message="A wrong number of losses must raise a ValueError.")

    def randomness(self) -> None:
        course, found = self.course(), "draw random numbers from a generator"
        require_no_global_random_numbers(self.balancer, "`build`")
        run = self.run()
        require_no_global_random_numbers(lambda: run.steps(course), "The balancer")
        one, same, other = (self.run(seed=seed).steps(course) for seed in (0, 0, 1))
        require(torch.equal(one, same), f"One seed must always give the same weights: {found}.")
        if self.is_random:
            require(not torch.equal(one, other), "Another seed must give other weights.")
        else:
            require(torch.equal(one, other), "The weights must not depend on the seed.")

    def alone(self) -> None:
        course, message = self.course(), "The weight of a task alone must be finite and above 0."
        single = self.run(order=[0]).steps(course[:, :1])
        require((single.isfinite() & (single > 0)).all(), message)
        for task in range(self.n_tasks):
            others = torch.arange(self.n_tasks) != task
            found = self.run().steps(course.masked_fill(others, torch.nan))[:, task]
            require((found.isfinite() & (found > 0)).all(), message)

    def absent(self, task: int) -> None:
        """Check that steps without a task leave no trace of it."""
        run, course = self.run(), self.course()
        run.steps(course)
        before = self.own_state(run.balancer, task)
        lacking = self.course(seed=1)
        lacking[:, task] = torch.nan
        weights = run.steps(lacking)
        require(
            (weights[:, task] == 0).all(),
            "The gradient of an absent task's loss must be exactly 0.",
        )
        require(weights.isfinite().all(), "The weights must be finite beside an absent task.")
        for name, after in self.own_state(run.balancer, task).items():
            kept = (after == before[name]) | after.isnan()
            require(kept.all(), f"Steps without a task must not move what {name} knows of it.")
        again = run.steps(course)
        require(again.isfinite().all(), "A task must be able to come back.")

    def own_state(self, balancer: LossBalancer, task: int) -> dict[str, Tensor]:
        """Return what the state holds about one task."""
        found = {}
        for name, value in balancer.state_dict().items():
            if value.shape[:1] == (self.n_tasks,):
                found[name] = value[task].clone()
            elif str(task) in name.split("."):
                found[name] = value.clone()
        return found

    def nothing(self) -> None:
        """Check steps in which no task is present."""
        balancer = self.trained()
        before = copy.deepcopy(balancer.state_dict())
        nothing = torch.full((self.n_tasks,), torch.nan).double()
        balancer.zero_grad()
        weights = _weights(balancer, nothing)
        require((weights == 0).all(), "Without any task, all gradients must be exactly 0.")
        balancer.after_step(nothing)
        moved = not _equal(balancer.state_dict(), before)
        require(not moved, "A step without any task must not change the state.")
        if not balancer.uses_losses_after_step:
            balancer.after_step(self.course()[0])
            message = "`after_step` changes the state, but `uses_losses_after_step` is false."
            require(_equal(balancer.state_dict(), before), message)

    def state(self) -> None:
        balancer, restored = self.trained(), self.balancer(seed=1).double()
        saved = copy.deepcopy(balancer.state_dict())
        tensors = all(isinstance(value, Tensor) for value in saved.values())
        require(tensors, "The state must be made of tensors.")
        restored.load_state_dict(saved)
        for losses, after in _with_next(self.course(seed=2)):
            one, two = _weights(balancer, losses), _weights(restored, losses)
            require(torch.equal(one, two), "`state_dict` must hold all that weights depend on.")
            for each in (balancer, restored):
                each.after_step(after)
        alike = _equal(balancer.state_dict(), restored.state_dict())
        require(alike, "A restored state must go on like the one that was saved.")

    def extremes(self) -> None:
        """Check losses of a million and a millionth, in single precision as in training."""
        run = _Run(self.balancer())
        for step in range(4 * len(EXTREMES)):
            sizes = [EXTREMES[(step + task) % len(EXTREMES)] for task in range(self.n_tasks)]
            weights = run.step(torch.tensor(sizes), torch.tensor(sizes))
            require(weights.isfinite().all(), f"The weights of losses {sizes} must be finite.")
            for name, value in run.balancer.state_dict().items():
                message = f"With losses {sizes}, {name} must stay finite."
                require(not value.isinf().any(), message)
        weights = run.steps(self.course().float())
        require(weights.isfinite().all(), "Extreme losses must not spoil the steps after them.")

    def order(self) -> None:
        order = [*range(1, self.n_tasks), 0]
        moved = self.run(order=order).steps(self.course()[:, order])
        message = "The order of the tasks must not matter."
        require_close(moved, self.run().steps(self.course())[:, order], message)

    def slopes(self) -> None:
        balancer, losses = self.trained(), self.course(seed=3)[0]
        weights = _weights(copy.deepcopy(balancer), losses)
        for task in range(self.n_tasks):
            shift = torch.zeros_like(losses)
            shift[task] = _FINITE_STEP * losses[task]
            slope = (_total(balancer, losses + shift) - _total(balancer, losses - shift)) / (
                2 * shift[task]
            )
            message = "The gradient by a loss must agree with finite differences of the total."
            require_close(weights[task], slope, message, tolerance=1e-5)

    def parameters(self) -> None:
        balancer, losses = self.trained(), self.course(seed=3)[0]
        balancer.zero_grad()
        _weights(balancer, losses)
        for name, parameter in balancer.named_parameters():
            message = f"The losses must reach every parameter, but not {name}."
            require(parameter.grad is not None, message)
            gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            for at in range(parameter.numel()):
                values = []
                for step in (_FINITE_STEP, -_FINITE_STEP):
                    moved = copy.deepcopy(balancer)
                    with torch.no_grad():
                        moved.get_parameter(name).view(-1)[at] += step
                    values.append(_total(moved, losses))
                slope = (values[0] - values[1]) / (2 * _FINITE_STEP)
                message = f"The gradient of {name} must agree with finite differences."
                require_close(gradient.view(-1)[at], slope, message, tolerance=1e-5)

    def units(self, keeps: Literal["shares", "weights"]) -> None:
        course = self.course()
        plain = self.run().steps(course)
        for task in range(self.n_tasks):
            unit = torch.ones(self.n_tasks).double()
            unit[task] = UNIT
            scaled = self.run().steps(course * unit)
            if keeps == "weights":
                message = "The unit of a loss must not change the weights."
                require_close(scaled, plain, message, tolerance=1e-6)
                continue
            message = "The unit of a loss must not change its share in the step."
            shares = _shares(scaled * course * unit)
            require_close(shares, _shares(plain * course), message, tolerance=1e-6)


def _weights(balancer: LossBalancer, losses: Tensor) -> Tensor:
    leaf = losses.clone().requires_grad_()
    total = balancer(leaf)
    if total.requires_grad:
        torch.autograd.backward(total)
    return torch.zeros_like(leaf) if leaf.grad is None else leaf.grad


def _with_next(course: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield each step's losses with those of the next step, taken for what a step leads to."""
    return zip(course, course.roll(-1, dims=0), strict=True)


def _total(balancer: LossBalancer, losses: Tensor) -> Tensor:
    """Return the total without a trace in the balancer."""
    total: Tensor = copy.deepcopy(balancer)(losses)
    return total.detach()


def _shares(parts: Tensor) -> Tensor:
    return parts / parts.sum(dim=1, keepdim=True)


def _equal(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
    """Return whether two states are equal; NaN equals NaN."""
    return one.keys() == two.keys() and all(
        one[name].shape == two[name].shape
        and bool(((one[name] == two[name]) | (one[name].isnan() & two[name].isnan())).all())
        for name in one
    )

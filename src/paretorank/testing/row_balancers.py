"""What every balancer promises that weighs row by row.

Shapes: B rows, T tasks, S width of a row's state.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from paretorank.balancing import RowBalancer, RowWeights, SeenRows
from paretorank.testing.contract import (
    require,
    require_finite_gradients,
    require_no_global_random_numbers,
    require_shape,
    same_state,
)

N_ROWS, STATE_DIM, N_STEPS = 12, 5, 4
LEARNING_RATE = 0.01
EXTREMES = (1e18, 1e-18, 0.0, torch.nan, torch.inf)


def check_row_balancer(config: Any, *, task_names: Sequence[str] = ("a", "b", "c")) -> None:
    """Check a balancer of rows on made-up rows, some of whose labels are not observed.

    Args:
        config: has `build(task_names=..., balance_factors=..., generator=...)`, or is a function
            with these arguments.
        task_names: two or more tasks.

    Raises:
        ContractError: names the promise that is broken.
    """
    build = getattr(config, "build", config)
    names = tuple(task_names)
    _check_weights(_run(build, names), len(names))
    _check_randomness(build, names)
    _check_hidden(build, names)
    _check_nothing(_run(build, names), len(names))
    _check_extremes(_run(build, names), len(names))
    _check_state(build, names)
    alone = _run(build, names[:1])
    rows = made_up_rows(1)
    weights = alone.step(rows).weights[rows.observed]
    require((weights > 0).all(), "The weight of a task alone must be above 0.")


def made_up_rows(n_tasks: int, *, seed: int = 0) -> SeenRows:
    """Return rows in requests of three, about a fifth of whose labels is not observed."""
    generator = torch.Generator().manual_seed(seed)
    jacobian = torch.randn(N_ROWS, n_tasks, 4, generator=generator)
    observed = torch.rand(N_ROWS, n_tasks, generator=generator) < 0.8  # noqa: PLR2004  # a share
    observed[0] = True
    jacobian = torch.where(observed.unsqueeze(2), jacobian, 0.0)
    losses = torch.rand(N_ROWS, n_tasks, generator=generator)
    return SeenRows(
        state=torch.randn(N_ROWS, STATE_DIM, generator=generator),
        gramians=jacobian @ jacobian.mT,
        losses=torch.where(observed, losses, 0.0),
        observed=observed,
        request=torch.arange(N_ROWS) // 3,
    )


class _Run:
    """A balancer with the optimizer of its parameters."""

    def __init__(self, balancer: RowBalancer) -> None:
        balancer.begin(STATE_DIM)
        self.balancer = balancer
        own = list(balancer.parameters())
        self.optimizer = torch.optim.Adam(own, lr=LEARNING_RATE) if own else None

    def step(self, rows: SeenRows) -> RowWeights:
        self.balancer.zero_grad()
        found: RowWeights = self.balancer(rows)
        if found.own_loss is not None:
            torch.autograd.backward(found.own_loss)
        require_finite_gradients(self.balancer.named_parameters(), "After a step")
        if self.optimizer is not None:
            self.optimizer.step()
        return found


def _run(build: Callable[..., RowBalancer], names: tuple[str, ...], *, seed: int = 0) -> _Run:
    factors = torch.ones(len(names))
    generator = torch.Generator().manual_seed(seed)
    return _Run(build(task_names=names, balance_factors=factors, generator=generator))


def _check_weights(run: _Run, n_tasks: int) -> None:
    for seed in range(N_STEPS):
        rows = made_up_rows(n_tasks, seed=seed)
        found = run.step(rows)
        require_shape(found.weights, (N_ROWS, n_tasks), "`weights`")
        require(found.weights.isfinite().all(), "The weights must be finite.")
        require(found.weights.dtype == rows.losses.dtype, "The weights must be typed as losses.")
        require(not found.weights.requires_grad, "The weights must have no gradient.")
        if found.own_loss is not None:
            require_shape(found.own_loss, (), "`own_loss`")
            require(found.own_loss.isfinite(), "`own_loss` must be finite.")
        elif run.optimizer is not None:
            require(condition=False, message="Parameters need an `own_loss` to learn from.")


def _check_randomness(build: Callable[..., RowBalancer], names: tuple[str, ...]) -> None:
    def steps() -> Tensor:
        run = _run(build, names)
        rows = [made_up_rows(len(names), seed=seed) for seed in range(N_STEPS)]
        return torch.stack([run.step(each).weights for each in rows])

    require_no_global_random_numbers(steps, "The balancer")
    message = "One seed must always give the same weights: draw from the generator."
    require(torch.equal(steps(), steps()), message)


def _check_hidden(build: Callable[..., RowBalancer], names: tuple[str, ...]) -> None:
    """Check that losses and gradients that are not observed change nothing."""
    rows = made_up_rows(len(names))
    hidden = ~rows.observed
    pairs = hidden.unsqueeze(2) | hidden.unsqueeze(1)
    other = replace(
        rows,
        losses=torch.where(hidden, 9.0, rows.losses),
        gramians=torch.where(pairs, 9.0, rows.gramians),
    )
    runs = [_run(build, names), _run(build, names)]
    for run, given in zip(runs, (rows, other), strict=True):
        run.step(given)
    found = [torch.where(hidden, 0.0, run.step(rows).weights) for run in runs]
    require(torch.equal(*found), "What is not observed must not change the weights.")


def _check_nothing(run: _Run, n_tasks: int) -> None:
    """Check steps in which nothing is observed, or no row has a gradient."""
    rows = made_up_rows(n_tasks)
    run.step(rows)
    nothing = torch.zeros_like(rows.observed)
    flat = torch.zeros_like(rows.gramians)
    for given in (replace(rows, observed=nothing, gramians=flat), replace(rows, gramians=flat)):
        weights = run.step(given).weights
        require(weights.isfinite().all(), "The weights must be finite where nothing is learned.")


def _check_extremes(run: _Run, n_tasks: int) -> None:
    rows = made_up_rows(n_tasks)
    for extreme in EXTREMES:
        spoiled = rows.gramians.clone()
        spoiled[::2] *= extreme
        state = rows.state.clone()
        state[::2] *= extreme
        for given in (replace(rows, gramians=spoiled), replace(rows, state=state)):
            weights = run.step(given).weights
            require(weights.isfinite().all(), f"Rows times {extreme} must leave weights finite.")
            for name, value in run.balancer.state_dict().items():
                require(value.isfinite().all(), f"Rows times {extreme} must leave {name} finite.")


def _check_state(build: Callable[..., RowBalancer], names: tuple[str, ...]) -> None:
    run, restored = _run(build, names), _run(build, names, seed=1)
    for seed in range(N_STEPS):
        run.step(made_up_rows(len(names), seed=seed))
    saved = copy.deepcopy(run.balancer.state_dict())
    restored.balancer.load_state_dict(saved)
    if run.optimizer is not None and restored.optimizer is not None:
        restored.optimizer.load_state_dict(copy.deepcopy(run.optimizer.state_dict()))
    for seed in range(N_STEPS, 2 * N_STEPS):
        rows = made_up_rows(len(names), seed=seed)
        one, two = run.step(rows).weights, restored.step(rows).weights
        require(torch.equal(one, two), "`state_dict` must hold all that weights depend on.")
    alike = same_state(run.balancer.state_dict(), restored.balancer.state_dict())
    require(alike, "A restored state must go on like the one that was saved.")

"""PAPERec: weights per row that a policy learns from the tasks' gradients."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from paretorank.balancing import PAPERec, PAPERecConfig, RowWeights, SeenRows
from paretorank.balancing.bounded_min_norm import bounded_min_norm_weights
from paretorank.balancing.min_norm import min_norm_weights
from paretorank.foundation.errors import ConfigError
from paretorank.testing import check_row_balancer
from paretorank.testing.row_balancers import STATE_DIM, made_up_rows

VALUES = json.loads((Path(__file__).parents[1] / "values" / "gradients.json").read_text())
NAMES = ("a", "b", "c")
N_CONTEXTS = 5
Solver = Literal["gradient", "ddpg"]
SOLVERS: list[Solver] = ["gradient", "ddpg"]
N_STEPS = {"gradient": 250, "ddpg": 900}


def build(n_tasks: int = 3, *, state_dim: int = N_CONTEXTS, **settings: Any) -> PAPERec:
    balancer = PAPERecConfig(**settings).build(
        task_names=NAMES[:n_tasks],
        balance_factors=torch.ones(n_tasks),
        generator=torch.Generator().manual_seed(0),
    )
    balancer.begin(state_dim)
    return balancer.double()


def contexts(jacobians: Tensor, *, copies: int = 1, observed: Tensor | None = None) -> SeenRows:
    """Return rows whose state says which Jacobian [T, N] they have."""
    n_contexts, n_tasks = jacobians.shape[:2]
    jacobians = jacobians.double().repeat(copies, 1, 1)
    shape = (n_contexts * copies, n_tasks)
    seen = torch.ones(shape, dtype=torch.bool) if observed is None else observed.expand(shape)
    jacobians = torch.where(seen.unsqueeze(2), jacobians, 0.0)
    return SeenRows(
        state=torch.eye(n_contexts).double().repeat(copies, 1),
        gramians=jacobians @ jacobians.mT,
        losses=torch.ones(shape).double(),
        observed=seen,
        request=torch.arange(len(jacobians)),
    )


def random_jacobians(n_tasks: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.randn(N_CONTEXTS, n_tasks, 4, generator=generator).double()


def train(balancer: PAPERec, rows: SeenRows, n_steps: int) -> RowWeights:
    optimizer = torch.optim.Adam(balancer.parameters(), lr=0.01)
    for _ in range(n_steps):
        optimizer.zero_grad()
        found: RowWeights = balancer(rows)
        assert found.own_loss is not None
        found.own_loss.backward()
        optimizer.step()
    return found


def trained_weights(rows: SeenRows, n_tasks: int, solver: Solver, **settings: Any) -> Tensor:
    balancer = build(
        n_tasks, state_dim=rows.state.shape[1], solver=solver, gradients="raw", **settings
    )
    train(balancer, rows, N_STEPS[solver])
    return balancer.weights_of(rows.state)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("n_tasks", [2, 3])
def test_every_context_gets_its_min_norm_weights(solver: Solver, n_tasks: int) -> None:
    rows = contexts(random_jacobians(n_tasks), copies=50)
    found = trained_weights(rows, n_tasks, solver, gamma=0.0)
    expected = min_norm_weights(rows.gramians)
    assert float(expected.std(dim=0).max()) > 0.1
    assert float((found - expected).abs().max()) <= 0.05


def test_what_follows_in_a_request_does_not_change_the_best_weights() -> None:
    rows = contexts(random_jacobians(), copies=50)
    together = SeenRows(rows.state, rows.gramians, rows.losses, rows.observed, rows.request // 5)
    found = trained_weights(together, 3, "ddpg", gamma=0.9)
    assert float((found - min_norm_weights(rows.gramians)).abs().max()) <= 0.05


@pytest.mark.parametrize("solver", SOLVERS)
def test_one_context_has_the_closed_form_of_two_tasks(solver: Solver) -> None:
    case = VALUES["min_norm_two_task"][3]
    rows = contexts(torch.tensor([[case["g1"], case["g2"]]]), copies=50)
    found = trained_weights(rows, 2, solver, gamma=0.0)
    expected = torch.tensor([case["w1"], case["w2"]]).double().expand(50, 2)
    torch.testing.assert_close(found, expected, atol=0.02, rtol=0)


def test_the_task_that_is_answered_clearly_gets_the_weight() -> None:
    noise = torch.tensor([[0.5, 2.0], [2.0, 0.5], [1.0, 1.0]]).double()
    drawn = torch.randn(400, 3, 2, 1, generator=torch.Generator().manual_seed(5)).double()
    jacobians = (drawn * noise.unsqueeze(2)).flatten(0, 1)
    rows = contexts(jacobians)
    rows = replace(rows, state=torch.eye(3).double().repeat(400, 1))
    balancer = build(2, state_dim=3)
    train(balancer, rows, 150)
    inverse = 1 / noise.square()
    expected = inverse / inverse.sum(dim=1, keepdim=True)
    found = balancer.weights_of(rows.state[:3])
    torch.testing.assert_close(found, expected, atol=0.05, rtol=0)


@pytest.mark.parametrize("solver", SOLVERS)
def test_bounds_hold_from_the_first_step_to_the_last(solver: Solver) -> None:
    balancer = build(solver=solver, gradients="raw", bounds={"a": 0.25, "c": 0.4})
    rows = contexts(random_jacobians())
    bounds = torch.tensor([0.25, 0.0, 0.4]).double()
    for _ in range(4):
        found = train(balancer, rows, 25)
        assert bool((found.weights / 3 >= bounds - 1e-6).all())
    if solver == "gradient":
        train(balancer, rows, 150)
        expected = bounded_min_norm_weights(rows.gramians, bounds)
        assert float((balancer.weights_of(rows.state) - expected).abs().max()) <= 0.05


def test_explored_weights_keep_to_the_bounds_and_sum_to_one() -> None:
    balancer = build(bounds={"a": 0.25, "c": 0.4})
    observed = torch.tensor([[True, True, True], [True, True, False]])
    generator = torch.Generator().manual_seed(1)
    weights = balancer.policy(torch.zeros(2, N_CONTEXTS).double(), observed)
    found = balancer.policy.explored(weights, observed, 1.0, generator=generator)
    assert not torch.equal(found, weights)
    assert found[1, 2] == 0
    assert bool((found[:, 0] >= 0.25).all() and found[0, 2] >= 0.4)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(2).double(), rtol=1e-6, atol=0)


def test_the_start_is_the_plain_sum_of_the_losses_that_are_observed() -> None:
    observed = torch.tensor([[True, True, True], [True, False, True], [False, True, False]])
    rows = contexts(random_jacobians()[:3], observed=observed)
    found = build(state_dim=3)(rows)
    assert torch.equal(found.weights, observed.double())


def test_bounds_that_leave_nothing_are_the_weights() -> None:
    rows = contexts(random_jacobians())
    found = train(build(bounds={"a": 0.5, "b": 0.2, "c": 0.3}), rows, 20)
    expected = torch.tensor([1.5, 0.6, 0.9]).double().expand(5, 3)
    torch.testing.assert_close(found.weights, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_task_that_is_never_observed_is_not_weighed(solver: Solver) -> None:
    rows = contexts(random_jacobians(), copies=50, observed=torch.tensor([True, False, True]))
    balancer = build(solver=solver, gradients="raw", gamma=0.0)
    found = train(balancer, rows, N_STEPS[solver])
    assert bool((found.weights[:, 1] == 0).all())
    both = rows.gramians[:, ::2, ::2]
    expected = min_norm_weights(both)
    assert float((found.weights[:, ::2] / 2 - expected).abs().max()) <= 0.05


def test_a_single_task_has_weight_one_and_nothing_is_learned() -> None:
    found = build(1)(contexts(random_jacobians(1)))
    assert torch.equal(found.weights, torch.ones(5, 1).double())
    assert found.own_loss is None


def test_gradients_divided_by_their_own_length_leave_two_tasks_equal() -> None:
    rows = contexts(random_jacobians(2), copies=4)
    balancer = build(2, gradients="row")
    found = train(balancer, rows, 200)
    torch.testing.assert_close(found.weights, torch.ones(20, 2).double(), atol=0.02, rtol=0)


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_unit_of_a_loss_does_not_matter_unless_gradients_are_raw(solver: Solver) -> None:
    jacobians = random_jacobians()
    units = torch.tensor([1.0, 1000.0, 0.001]).double()[:, None]
    found = [
        train(build(solver=solver), contexts(each), 30).weights
        for each in (jacobians, jacobians * units)
    ]
    torch.testing.assert_close(found[0], found[1], rtol=1e-6, atol=1e-9)
    assert float((found[0] - 1).abs().max()) > 0.1


def test_rows_without_a_gradient_teach_nothing() -> None:
    jacobians = random_jacobians()
    full = contexts(jacobians)
    flat = contexts(torch.cat([jacobians, torch.zeros(3, 3, 4)]))
    state = torch.cat([full.state, torch.zeros(3, N_CONTEXTS).double()])
    flat = SeenRows(state, flat.gramians, flat.losses, flat.observed, flat.request)
    balancer = build()
    balancer.moments.update_(full.state)
    losses = []
    for rows in (full, flat):
        gramians, counts = balancer.scales(rows.gramians, rows.observed)
        assert int(counts.sum()) == 5
        losses.append(gramians[counts])
    assert torch.equal(*losses)


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_contract_of_balancers_of_rows_holds(solver: Solver) -> None:
    check_row_balancer(PAPERecConfig(solver=solver))
    check_row_balancer(PAPERecConfig(solver=solver, gradients="raw", bounds={"a": 0.3}))


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_order_of_the_tasks_does_not_matter_at_the_start(solver: Solver) -> None:
    rows, order = contexts(random_jacobians()), [1, 2, 0]
    moved = contexts(random_jacobians()[:, order])
    balancer, other = build(solver=solver), build(solver=solver)
    assert torch.equal(balancer(rows).weights[:, order], other(moved).weights)


def test_reading_the_policy_leaves_no_trace() -> None:
    balancer = build(state_dim=STATE_DIM).float()
    train(balancer, made_up_rows(3), 5)
    before = {name: value.clone() for name, value in balancer.state_dict().items()}
    weights = balancer.weights_of(torch.randn(7, STATE_DIM, generator=torch.Generator()))
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(7))
    assert all(torch.equal(value, before[name]) for name, value in balancer.state_dict().items())


def test_bounds_of_more_than_one_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"sum to at most 1, got 1\.1"):
        build(bounds={"a": 0.5, "b": 0.6})
    with pytest.raises(ConfigError, match="must name tasks, got 'z'"):
        build(bounds={"z": 0.5})


def test_the_width_of_states_must_be_known_and_stay() -> None:
    config = PAPERecConfig()
    balancer = config.build(
        task_names=NAMES, balance_factors=torch.ones(3), generator=torch.Generator()
    )
    with pytest.raises(ValueError, match="`begin` must be called"):
        balancer(made_up_rows(3))
    balancer.begin(STATE_DIM)
    balancer.begin(STATE_DIM)
    with pytest.raises(ValueError, match="must stay 5, got 6"):
        balancer.begin(STATE_DIM + 1)

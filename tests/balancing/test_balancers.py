"""What all balancers promise, whatever their kind."""

import copy
from typing import get_args

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn

from paretorank.balancing import (
    FAMO,
    UWO,
    UWSO,
    BalancerConfig,
    GradientSection,
    LossBalancer,
    RowSection,
    StaticConfig,
)
from paretorank.foundation.errors import ConfigError

KINDS = [
    "equal",
    "static",
    "scheduled",
    "uncertainty",
    "uw_o",
    "uw_so",
    "prioritisation",
    "constant",
    "constrained",
    "cosmos",
    "dwa",
    "famo",
    "geometric_mean",
    "imtl_l",
    "mean",
    "pbi",
    "random",
    "stch",
    "sum",
    "uw",
]
SETTINGS = {
    "constrained": ', "at_most": {"b": 0.04}',
    "dwa": ', "window_steps": 2',
    "prioritisation": ', "base_steps": 2, "window_steps": 2',
    "scheduled": ', "growth": {"b": 1.5}, "window_steps": 2',
    "static": ', "weights": {"b": 2.5}',
    "stch": ', "weights": {"b": 2.5}, "reference": {"a": 0.1}',
}
NAMES = ("a", "b", "c")
LOSSES = (0.8, 0.05, 3.0)
REVISED = "uncertainty-revised"
MEMORIES = [
    *("uncertainty", REVISED, "uw", "imtl_l", "dwa", "famo", "random"),
    *("uw_so", "prioritisation", "scheduled"),
]


def build(kind: str) -> LossBalancer:
    settings = ', "form": "revised"' if kind == REVISED else SETTINGS.get(kind, "")
    text = f'{{"kind": "{kind.removesuffix("-revised")}"{settings}}}'
    adapter: TypeAdapter[BalancerConfig] = TypeAdapter(BalancerConfig)
    balancer = adapter.validate_json(text).build(
        task_names=NAMES,
        balance_factors=torch.tensor([0.5, 1.0, 0.5]),
        generator=torch.Generator().manual_seed(0),
    )
    return balancer.double()


def leaf(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def weights_of(balancer: LossBalancer, *values: float) -> Tensor:
    losses = leaf(*values)
    balancer(losses).backward()
    assert losses.grad is not None
    return losses.grad


def step(balancer: LossBalancer, *values: float) -> None:
    """One training step as the balancer sees it."""
    balancer(leaf(*values)).backward()
    balancer.after_step(torch.tensor(values, dtype=torch.float64) * 0.9)


def without_counters(balancer: LossBalancer) -> dict[str, Tensor]:
    counters = ("n_steps", "n_calls")
    return {k: v.clone() for k, v in balancer.state_dict().items() if k not in counters}


@pytest.fixture(params=[*KINDS, REVISED])
def balancer(request: pytest.FixtureRequest) -> LossBalancer:
    return build(request.param)


def test_every_member_of_the_union_is_tested() -> None:
    members = get_args(get_args(BalancerConfig)[0])
    on_losses = [m for m in members if not issubclass(m, GradientSection | RowSection)]
    assert {member.model_fields["kind"].default for member in on_losses} == set(KINDS)


def test_the_total_is_one_finite_number_and_all_weights_are_finite(balancer: LossBalancer) -> None:
    losses = leaf(*LOSSES)
    total = balancer(losses)
    assert total.shape == ()
    total.backward()
    assert total.isfinite()
    assert losses.grad is not None
    assert losses.grad.isfinite().all()


def test_the_weights_agree_with_finite_differences(balancer: LossBalancer) -> None:
    if isinstance(balancer, FAMO | UWO | UWSO):
        pytest.skip("it has a factor that is a constant by definition; its weights are pinned")
    step(balancer, 0.9, 0.1, 2.0)

    def total(losses: Tensor) -> Tensor:
        result: Tensor = copy.deepcopy(balancer)(losses)
        return result

    losses = leaf(*LOSSES)
    (gradient,) = torch.autograd.grad(total(losses), losses)
    for task in range(3):
        shift = torch.zeros(3, dtype=torch.float64)
        shift[task] = 1e-6
        slope = (total(losses + shift) - total(losses - shift)) / 2e-6
        torch.testing.assert_close(gradient[task], slope.detach(), rtol=1e-4, atol=1e-6)


def test_the_parameters_agree_with_finite_differences(balancer: LossBalancer) -> None:
    step(balancer, 0.9, 0.1, 2.0)
    for parameter in balancer.parameters():
        (gradient,) = torch.autograd.grad(balancer(leaf(*LOSSES)), parameter)
        totals = []
        for shift in (1e-6, -1e-6):
            parameter.data.add_(shift)
            totals.append(balancer(leaf(*LOSSES)).detach())
            parameter.data.sub_(shift)
        slope = (totals[0] - totals[1]) / 2e-6
        torch.testing.assert_close(gradient, slope, rtol=1e-4, atol=1e-6)


def test_an_absent_task_adds_nothing_and_gets_no_gradient(balancer: LossBalancer) -> None:
    losses = leaf(0.8, float("nan"), 3.0)
    total = balancer(losses)
    total.backward()
    assert total.isfinite()
    assert losses.grad is not None
    assert losses.grad[1] == 0.0
    assert losses.grad.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite() for p in balancer.parameters())


def test_all_tasks_may_be_absent(balancer: LossBalancer) -> None:
    before = {name: value.clone() for name, value in balancer.state_dict().items()}
    nan = float("nan")
    assert weights_of(balancer, nan, nan, nan).tolist() == [0.0, 0.0, 0.0]
    balancer.after_step(torch.full((3,), nan, dtype=torch.float64))
    assert all(parameter.grad is None for parameter in balancer.parameters())
    for name, value in balancer.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0, equal_nan=True, msg=name)


def test_an_absent_task_does_not_drift_under_adam_with_momentum(balancer: LossBalancer) -> None:
    parameters = list(balancer.parameters())
    optimizer = torch.optim.Adam(parameters or [nn.Parameter(torch.zeros(1))], lr=0.05)

    def train(*values: float) -> None:
        optimizer.zero_grad()
        step(balancer, *values)
        optimizer.step()

    for _ in range(4):
        train(0.4, 0.2, 1.0)
    entry = {n: v for n, v in without_counters(balancer).items() if n != "before"}
    for _ in range(6):
        train(0.3, float("nan"), 0.9)
    for name, old in entry.items():
        new = balancer.state_dict()[name]
        if name.split(".")[-1] == "1" or ".1." in name:  # the absent task's own parameter
            assert torch.equal(new, old), name
        elif old.shape == (3,):
            torch.testing.assert_close(new[1], old[1], equal_nan=True, msg=name)


@pytest.mark.parametrize("kind", [*KINDS, REVISED])
def test_state_survives_saving_and_loading(kind: str) -> None:
    balancer, restored = build(kind), build(kind)
    parameters = list(balancer.parameters())
    for shrink in (1.0, 0.7, 0.6, 0.5, 0.45):
        step(balancer, 0.9 * shrink, 0.1 * shrink**2, 2.0)
        for parameter in parameters:
            parameter.data.add_(0.1)  # as an optimizer would
    restored.load_state_dict(balancer.state_dict())
    for _ in range(3):
        assert torch.equal(weights_of(restored, *LOSSES), weights_of(balancer, *LOSSES))
        step(restored, *LOSSES)
        step(balancer, *LOSSES)


@pytest.mark.parametrize("kind", MEMORIES)
def test_a_balancer_with_a_memory_weighs_differently_without_it(kind: str) -> None:
    balancer = build(kind)
    for shrink in (1.0, 0.7, 0.6, 0.5, 0.45):
        step(balancer, 0.9 * shrink, 0.1 * shrink**2, 2.0)
        balancer.after_step(torch.tensor([0.1, 0.2, 2.0], dtype=torch.float64))
        for parameter in balancer.parameters():
            parameter.data.add_(0.1)
    assert not torch.equal(weights_of(balancer, *LOSSES), weights_of(build(kind), *LOSSES))


def test_a_wrong_number_of_losses_is_refused(balancer: LossBalancer) -> None:
    with pytest.raises(ValueError, match="3 tasks"):
        balancer(leaf(1.0, 2.0))


def test_equal_is_a_sum_and_static_a_weighted_one() -> None:
    assert weights_of(build("equal"), *LOSSES).tolist() == [1.0, 1.0, 1.0]
    assert float(build("equal")(leaf(*LOSSES)).detach()) == pytest.approx(3.85)
    assert weights_of(build("static"), *LOSSES).tolist() == [1.0, 2.5, 1.0]


def test_the_weight_of_a_task_that_does_not_exist_is_refused() -> None:
    config = StaticConfig(weights={"bb": 1.0})
    with pytest.raises(ConfigError, match=r"balancer\.weights.*'bb'") as caught:
        config.build(
            task_names=["alpha", "bbb"],
            balance_factors=torch.ones(2),
            generator=torch.Generator(),
        )
    assert caught.value.hint == "Did you mean 'bbb'?"


@pytest.mark.parametrize(
    "text",
    [
        '{"kind": "static", "weights": {"a": -1}}',
        '{"kind": "mean", "weights": {"a": 1}}',
        '{"kind": "stch", "mu": 0}',
        '{"kind": "cosmos", "cosine_penalty": -1}',
        '{"kind": "pbi", "weights": {"a": 0}}',
        '{"kind": "dwa", "temperature": 0}',
        '{"kind": "famo", "learning_rate": -0.1}',
        '{"kind": "famo", "weight_decay": -1}',
        '{"kind": "pbi", "theta": -1}',
        '{"kind": "stch", "weights": {"a": -1}}',
        '{"kind": "constant", "weights": {"a": -1}}',
        '{"kind": "geometric_mean", "weights": {"a": 1}}',
        '{"kind": "random", "seed": 1}',
        '{"kind": "uw", "lower_bound": 0}',
        '{"kind": "imtl_l", "learning_rate": 1}',
        '{"kind": "sum", "weights": {"a": 1}}',
        '{"kind": "uw_so", "temperature": 0}',
        '{"kind": "uw_so", "first_steps": 0}',
        '{"kind": "uncertainty", "form": "variance"}',
        '{"kind": "constrained", "learning_rate": 0}',
        '{"kind": "mgda", "normalize": "l1"}',
        '{"kind": "epo", "preference": {"a": 0}}',
        '{"kind": "metabalance", "at": "representation"}',
        '{"kind": "gradcraft", "keep": 1}',
        '{"kind": "perfect"}',
    ],
)
def test_impossible_hyper_parameters_are_refused(text: str) -> None:
    adapter: TypeAdapter[BalancerConfig] = TypeAdapter(BalancerConfig)
    with pytest.raises(ValidationError):
        adapter.validate_json(text)

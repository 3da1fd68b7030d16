"""Gates: temperature, dropped experts, and what keeps them from collapsing."""

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from paretorank.blocks import GateSoftmax, reseed_dropout

NEVER = -math.inf


def logits(n_rows: int = 200, n_gates: int = 3, n_experts: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(n_rows, n_gates, n_experts, generator=generator, dtype=torch.float64)


def penalty(values: Tensor, **settings: float) -> float:
    softmax = GateSoftmax(**settings)
    softmax(values)
    assert softmax.penalty is not None
    return float(softmax.penalty)


def test_a_temperature_divides_the_logits() -> None:
    weights = GateSoftmax(temperature=2.0)(torch.tensor([[[0.0, 2 * math.log(3)]]]))
    torch.testing.assert_close(weights, torch.tensor([[[0.25, 0.75]]]))


def test_the_imbalance_is_the_squared_coefficient_of_variation_of_the_use() -> None:
    # Mean use .8, .2: mean .5, deviation .3, so (.3 / .5) ** 2 = .36.
    values = torch.tensor([[[0.9, 0.1]], [[0.7, 0.3]]]).log()
    assert penalty(values, load_balance=0.5) == pytest.approx(0.18)


def test_tasks_may_prefer_different_experts() -> None:
    apart = torch.tensor([[[0.9, 0.1], [0.1, 0.9]]]).log()
    assert penalty(apart, load_balance=1.0) == pytest.approx(0.0, abs=1e-7)
    alike = torch.tensor([[[0.9, 0.1], [0.9, 0.1]]]).log()
    assert penalty(alike, load_balance=1.0) == pytest.approx(0.64)


def test_uniform_gates_are_balanced_though_they_see_different_experts() -> None:
    values = torch.tensor([[[0.0, NEVER, 0.0], [NEVER, 0.0, 0.0]]], dtype=torch.float64)
    assert penalty(values, load_balance=1.0) == pytest.approx(0.0, abs=1e-12)
    assert penalty(values, entropy=1.0) == pytest.approx(0.0, abs=1e-12)


def test_a_gate_on_one_of_four_experts_has_the_highest_penalty() -> None:
    values = torch.tensor([[[50.0, 0.0, 0.0, 0.0]]], dtype=torch.float64)
    assert penalty(values, load_balance=1.0) == pytest.approx(3.0)
    assert penalty(values, entropy=1.0) == pytest.approx(1.0)


def test_the_entropy_is_measured_in_units_of_its_maximum() -> None:
    values = torch.tensor([[[0.5, 0.25, 0.25]]], dtype=torch.float64).log()
    expected = 1 - 1.5 * math.log(2) / math.log(3)
    assert penalty(values, entropy=2.0) == pytest.approx(2 * expected)


def test_a_gate_with_a_single_expert_has_nothing_to_choose() -> None:
    values = torch.tensor([[[0.3, NEVER], [0.0, 0.0]]], dtype=torch.float64)
    assert penalty(values, entropy=1.0) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("settings", [{"load_balance": 1.0}, {"entropy": 1.0}])
def test_gradients_of_the_penalty_agree_with_finite_differences(settings: Any) -> None:
    hidden = torch.zeros(3, 4).index_put_(
        (torch.tensor([0, 1]), torch.tensor([3, 0])), torch.ones(())
    )

    def run(values: Tensor) -> Tensor:
        softmax = GateSoftmax(**settings)
        softmax(values.masked_fill(hidden > 0, NEVER))
        assert softmax.penalty is not None
        return softmax.penalty

    assert torch.autograd.gradcheck(run, (logits(5).requires_grad_(),))


@pytest.mark.parametrize("settings", [{"dropout_rate": 0.5}, {"expert_dropout_rate": 0.5}])
def test_weights_of_the_kept_experts_are_renormalised(settings: Any) -> None:
    softmax, values = GateSoftmax(**settings), logits()
    weights, plain = softmax(values), softmax.plain(values)
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(200, 3, dtype=torch.float64))
    kept = weights > 0
    assert 0.4 < float(kept.double().mean()) < 0.65
    mass = (plain * kept).sum(dim=2, keepdim=True)
    torch.testing.assert_close(weights, plain * kept / mass)


def test_at_least_one_expert_stays_though_nearly_all_are_dropped() -> None:
    values = logits(500)
    values[:, 0, 1:] = NEVER  # the first gate has a single expert in sight
    weights = GateSoftmax(dropout_rate=0.95, expert_dropout_rate=0.5)(values)
    assert weights.isfinite().all()
    torch.testing.assert_close(weights[:, 0, 0], torch.ones(500, dtype=torch.float64))


def test_dropout_of_gates_differs_from_gate_to_gate_and_that_of_experts_does_not() -> None:
    values = logits()
    by_gate = GateSoftmax(dropout_rate=0.5)(values) > 0
    assert not torch.equal(by_gate[:, 0], by_gate[:, 1])
    for_all = GateSoftmax(expert_dropout_rate=0.5)(values) > 0
    assert torch.equal(for_all[:, 0], for_all[:, 1])


def test_the_same_seed_drops_the_same_experts() -> None:
    softmax, values = GateSoftmax(dropout_rate=0.5), logits()
    runs = []
    for seed in (3, 3, 4):
        reseed_dropout(softmax, seed)
        runs.append(softmax(values))
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


@pytest.mark.parametrize("settings", [{"load_balance": 1.0}, {"entropy": 1.0}])
def test_descending_the_penalty_revives_an_expert_that_no_gate_uses(settings: Any) -> None:
    softmax = GateSoftmax(**settings)
    bias = torch.tensor([0.0, 0.0, 0.0, -6.0], dtype=torch.float64, requires_grad=True)
    use = softmax(logits() + bias).mean(dim=(0, 1))
    assert use[3] < 0.1 / 4
    for _ in range(300):
        softmax(logits() + bias)
        assert softmax.penalty is not None
        (gradient,) = torch.autograd.grad(softmax.penalty, bias)
        bias = (bias - 2 * gradient).detach().requires_grad_()
    assert softmax.plain(logits() + bias).mean(dim=(0, 1))[3] > 0.5 / 4


def test_nothing_is_dropped_or_penalised_at_inference() -> None:
    softmax = GateSoftmax(dropout_rate=0.5, expert_dropout_rate=0.5, load_balance=1.0).eval()
    assert torch.equal(softmax(logits()), softmax.plain(logits()))
    assert softmax.penalty is None


def test_a_copy_leaves_the_penalty_of_the_last_step_behind() -> None:
    softmax = GateSoftmax(entropy=1.0)
    softmax(logits().requires_grad_())
    assert copy.deepcopy(softmax).penalty is None
    assert softmax.penalty is not None

"""Uncertainty weighting in both forms."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from paretorank.balancing import RevisedUncertainty, Uncertainty
from paretorank.balancing.soft_bound import before_soft_lower_bound, soft_lower_bound

VALUES: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "values" / "balancing.json").read_text()
)
NAMES = ("a", "b", "c")


def double(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def with_log_variances(*values: float, factors: object = None) -> Uncertainty:
    factors = VALUES["kendall_mixed"]["c"] if factors is None else factors
    names = NAMES[: len(values)]
    balancer = Uncertainty(names, double(factors), starts_at_data=False).double()
    with torch.no_grad():
        for parameter, value in zip(balancer.log_variances, values, strict=True):
            parameter.fill_(value)
    return balancer


def gradients(balancer: Uncertainty | RevisedUncertainty, losses: Tensor) -> Tensor:
    for parameter in balancer.parameters():
        parameter.grad = None
    balancer(losses).backward()
    return torch.stack([p.grad for p in balancer.parameters() if p.grad is not None])


def test_mixed_kinds_have_the_pinned_total_and_gradients() -> None:
    pinned, losses = VALUES["kendall_mixed"], double(VALUES["losses"]).requires_grad_()
    balancer = with_log_variances(*VALUES["s_log_variance"])
    assert float(balancer(losses).detach()) == pytest.approx(pinned["total"], abs=1e-9)
    torch.testing.assert_close(gradients(balancer, losses), double(pinned["grad_s"]))
    assert losses.grad is not None
    torch.testing.assert_close(losses.grad, double(pinned["grad_losses"]))


def test_one_factor_for_all_tasks_has_the_pinned_total_of_other_libraries() -> None:
    pinned = VALUES["all_half_as_in_torchjd_and_libmtl"]
    balancer = with_log_variances(*VALUES["s_log_variance"], factors=[0.5, 0.5, 0.5])
    total = balancer(double(VALUES["losses"])).detach()
    assert float(total) == pytest.approx(pinned["total"], abs=1e-9)


def test_it_starts_at_the_stationary_point_where_every_weight_is_half_the_inverse_loss() -> None:
    pinned, losses = VALUES["kendall_mixed"], double(VALUES["losses"]).requires_grad_()
    balancer = Uncertainty(NAMES, double(pinned["c"])).double()
    total = balancer(losses)
    total.backward()
    assert float(total.detach()) == pytest.approx(pinned["total_at_stationary_s"], abs=1e-9)
    s = torch.stack([p.detach() for p in balancer.log_variances])
    torch.testing.assert_close(s, double(pinned["stationary_s"]))
    assert losses.grad is not None
    torch.testing.assert_close(losses.grad, double(pinned["effective_weight_at_stationary"]))
    torch.testing.assert_close(gradients(balancer, losses), torch.zeros(3).double())


def test_training_the_variances_alone_ends_at_the_stationary_point() -> None:
    pinned, losses = VALUES["kendall_mixed"], double(VALUES["losses"])
    balancer = with_log_variances(0.0, 0.0, 0.0)
    optimizer = torch.optim.Adam(balancer.parameters(), lr=0.05)
    for _ in range(600):
        optimizer.zero_grad()
        balancer(losses).backward()
        optimizer.step()
    s = torch.stack([p.detach() for p in balancer.log_variances])
    torch.testing.assert_close(s, double(pinned["stationary_s"]), rtol=0, atol=1e-3)


def test_a_task_starts_in_the_first_step_in_which_it_is_present() -> None:
    balancer = Uncertainty(("a", "b"), double([1.0, 1.0])).double()
    balancer(double([2.0, math.nan]))
    assert float(balancer.log_variances[1].detach()) == 0.0
    balancer(double([5.0, 8.0]))
    assert float(balancer.log_variances[0].detach()) == pytest.approx(math.log(4.0))
    assert float(balancer.log_variances[1].detach()) == pytest.approx(math.log(16.0))


def test_a_small_loss_still_moves_its_variance() -> None:
    pinned = VALUES["clamp_bug"]  # a hard clamp at 0 would give a gradient of exactly 0
    balancer = with_log_variances(0.0, factors=[1.0])
    gradient = gradients(balancer, double([pinned["L"]]))
    assert float(gradient[0]) == pytest.approx(0.5 - pinned["L"])
    assert pinned["clamped_grad"] == 0.0
    optimizer = torch.optim.Adam(balancer.parameters(), lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        balancer(double([pinned["L"]])).backward()
        optimizer.step()
    s = float(balancer.log_variances[0].detach())
    assert s == pytest.approx(pinned["stationary_log_var"], abs=1e-3)


def test_the_total_may_be_negative_and_that_of_the_revised_form_may_not() -> None:
    pinned = VALUES["negative_total_example"]
    losses, factors = double(pinned["losses"]), double([1.0, 1.0])
    total = Uncertainty(("a", "b"), factors).double()(losses)
    assert float(total.detach()) == pytest.approx(pinned["total"], abs=1e-9)
    assert float(RevisedUncertainty(("a", "b"), factors).double()(losses).detach()) >= 0


def test_weights_stay_bounded_when_a_loss_vanishes_or_is_negative() -> None:
    for loss in (1e-9, 0.0, -0.5):
        balancer = Uncertainty(("a",), double([1.0])).double()
        optimizer = torch.optim.Adam(balancer.parameters(), lr=0.1)
        for _ in range(200):
            optimizer.zero_grad()
            values = double([loss]).requires_grad_()
            balancer(values).backward()
            optimizer.step()
        assert values.grad is not None
        assert 0 < float(values.grad) <= math.exp(6)


def test_the_pull_of_the_regulariser_never_reaches_an_absent_task() -> None:
    balancer = with_log_variances(0.3, -1.2, 0.9)
    balancer(double([0.8, math.nan, 3.0])).backward()
    assert [p.grad is None for p in balancer.log_variances] == [False, True, False]


def test_rescaling_a_loss_does_not_change_its_share_of_the_step() -> None:
    shares = []
    for unit in (1.0, 1000.0):
        losses = (double([0.8, 0.05, 3.0]) * double([unit, 1.0, 1.0])).requires_grad_()
        Uncertainty(NAMES, double([0.5, 1.0, 0.5])).double()(losses).backward()
        assert losses.grad is not None
        shares.append(losses.grad * losses.detach())
    torch.testing.assert_close(shares[0], shares[1])


def test_the_revised_form_has_the_pinned_total_and_gradients() -> None:
    pinned = VALUES["revised_liebel_koerner"]
    factors = double(VALUES["kendall_mixed"]["c"])
    balancer = RevisedUncertainty(NAMES, factors, starts_at_data=False).double()
    with torch.no_grad():
        for parameter, value in zip(balancer.sigmas, pinned["sigma"], strict=True):
            parameter.fill_(value)
    losses = double(VALUES["losses"])
    assert float(balancer(losses).detach()) == pytest.approx(pinned["total"], abs=1e-9)
    expected = double(pinned["grad_sigma"])
    torch.testing.assert_close(gradients(balancer, losses), expected, rtol=0, atol=1e-9)


def test_the_revised_form_starts_at_its_stationary_point() -> None:
    pinned = VALUES["revised_liebel_koerner"]
    balancer = RevisedUncertainty(NAMES, double(VALUES["kendall_mixed"]["c"])).double()
    losses = double(VALUES["losses"])
    total = float(balancer(losses).detach())
    assert total == pytest.approx(pinned["total_at_stationary"], abs=1e-9)
    variance = torch.stack([p.detach().square() for p in balancer.sigmas])
    torch.testing.assert_close(variance, double(pinned["stationary_sigma_sq"]))
    slope = gradients(balancer, losses)
    torch.testing.assert_close(slope, torch.zeros(3).double(), rtol=0, atol=1e-8)


def test_the_revised_form_survives_a_sigma_of_exactly_zero() -> None:
    balancer = RevisedUncertainty(("a",), double([1.0]), starts_at_data=False).double()
    with torch.no_grad():
        balancer.sigmas[0].zero_()
    assert gradients(balancer, double([0.5])).isfinite().all()


def test_the_soft_bound_is_exact_above_and_never_flat_below() -> None:
    value = double([-9.0, -6.0, -5.0, -3.0, 4.0]).requires_grad_()
    bounded = torch.stack([soft_lower_bound(v, -6.0) for v in value])
    assert bounded[2:].tolist() == [-5.0, -3.0, 4.0]
    assert (bounded > -6.0).all()
    (slope,) = torch.autograd.grad(bounded.sum(), value)
    assert (slope > 0).all()
    assert slope[2:].tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("wanted", [-5.9, -5.5, -5.0, 0.0, 9.0])
def test_the_inverse_of_the_soft_bound_gives_back_the_value(wanted: float) -> None:
    raw = double(before_soft_lower_bound(wanted, -6.0))
    assert float(soft_lower_bound(raw, -6.0)) == pytest.approx(wanted)

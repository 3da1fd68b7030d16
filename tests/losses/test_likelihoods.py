"""Values of the losses, worked out by hand or pinned."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from paretorank.losses import (
    BinaryCrossEntropy,
    Huber,
    LogNormal,
    Poisson,
    SquaredError,
    WeightedLogistic,
)

VALUES: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "values" / "losses.json").read_text()
)


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).unsqueeze(1)


def test_binary_cross_entropy_by_hand() -> None:
    loss = BinaryCrossEntropy()
    logit = column(0.0, math.log(3), math.log(3))
    expected = column(math.log(2), math.log(4 / 3), math.log(4))
    torch.testing.assert_close(loss(logit, column(1, 1, 0)), expected)
    torch.testing.assert_close(loss.score(logit), column(0.5, 0.75, 0.75))


def test_binary_cross_entropy_is_finite_for_huge_logits() -> None:
    logit = column(1e3, -1e3).requires_grad_()
    loss = BinaryCrossEntropy()(logit, column(0, 1))
    torch.testing.assert_close(loss, column(1e3, 1e3))
    loss.sum().backward()
    assert logit.grad is not None
    torch.testing.assert_close(logit.grad, column(1, -1))


def test_a_task_without_positives_starts_at_a_finite_logit() -> None:
    constant = BinaryCrossEntropy().constant_logit(column(0, 0), column(1, 1))
    torch.testing.assert_close(constant, torch.tensor([-math.log(999_999)], dtype=torch.float64))


def test_squared_error_by_hand() -> None:
    loss = SquaredError()
    torch.testing.assert_close(loss(column(1, 4), column(3, 3)), column(4, 1))
    assert loss.constant_logit(column(1, 5), column(3, 1)).tolist() == [2.0]


def test_huber_is_half_the_square_near_and_linear_far() -> None:
    loss = Huber(2.0)
    torch.testing.assert_close(loss(column(1, 5), column(0, 0)), column(0.5, 8.0))


def test_the_constant_of_huber_is_not_drawn_by_an_outlier() -> None:
    constant = Huber(0.1).constant_logit(column(1, 2, 3, 1000), column(1, 1, 1, 1))
    assert float(constant) == pytest.approx(2.5, abs=0.5)


def test_a_huber_delta_must_be_positive() -> None:
    with pytest.raises(ValueError, match="`delta` must be positive"):
        Huber(0.0)


def test_poisson_by_hand() -> None:
    loss = Poisson()
    expected = column(1.0, 2 - 3 * math.log(2) + math.log(6))
    torch.testing.assert_close(loss(column(0, math.log(2)), column(0, 3)), expected)
    torch.testing.assert_close(loss.score(column(0, math.log(2))), column(1, 2))


def test_log_normal_without_shift_has_the_pinned_likelihood_and_mean() -> None:
    pinned = VALUES["log_normal"]
    loss = LogNormal(1, shift=0.0).double()
    with torch.no_grad():
        loss.log_sigma.fill_(math.log(pinned["sigma"]))
    label = column(*pinned["y"])
    nll = loss(torch.full_like(label, pinned["mu"]), label)
    torch.testing.assert_close(nll, column(*pinned["nll"]), rtol=0, atol=1e-9)
    score = loss.score(column(pinned["mu"])).detach()
    assert float(score) == pytest.approx(pinned["mean"], abs=1e-8)


def test_log_normal_allows_zero_durations_and_never_scores_below_zero() -> None:
    loss = LogNormal(1)
    label, logit = torch.zeros(1, 1), torch.zeros(1, 1, requires_grad=True)
    value = loss(logit, label)
    torch.testing.assert_close(value, torch.tensor([[0.5 * math.log(2 * math.pi)]]))
    value.sum().backward()
    assert float(loss.score(torch.full((1, 1), -5.0)).detach()) == 0.0
    assert bool(loss.score(torch.full((1, 1), 1e4)).isfinite())


def test_log_normal_learns_the_spread_of_each_task() -> None:
    log_label = torch.tensor([[1.0, 2.0], [3.0, 2.0]], dtype=torch.float64)
    loss = LogNormal(2, shift=0.0).double()
    loss.fit_(log_label.exp(), torch.ones(2, 2, dtype=torch.float64))
    expected = torch.tensor([0.0, math.log(0.05)], dtype=torch.float64)  # the second at its floor
    torch.testing.assert_close(loss.log_sigma.detach(), expected)
    nll = loss(torch.full((2, 2), 2.0, dtype=torch.float64), log_label.exp())[:, 0].mean()
    (gradient,) = torch.autograd.grad(nll, loss.log_sigma)
    assert float(gradient[0]) == pytest.approx(0.0)


def test_weighted_logistic_estimates_the_mean_duration_as_pinned() -> None:
    watch_time = column(*VALUES["wlr_youtube"]["watch_time"])
    pinned = VALUES["wlr_all_samples_negative"]
    loss = WeightedLogistic(1).double()
    constant = loss.constant_logit(watch_time, torch.ones_like(watch_time))
    assert float(constant) == pytest.approx(pinned["logit"], abs=1e-9)
    assert float(loss.score(constant)) == pytest.approx(pinned["constant_model_optimal_odds"])
    at_optimum = loss(constant.expand_as(watch_time), watch_time).mean()
    assert float(at_optimum) == pytest.approx(pinned["loss_at_optimum"], abs=1e-8)


def test_the_form_of_youtube_would_estimate_twice_the_mean() -> None:
    pinned = VALUES["wlr_youtube"]
    watch_time = column(*pinned["watch_time"])
    logit = torch.tensor(math.log(pinned["constant_model_optimal_odds"]), dtype=torch.float64)
    logit.requires_grad_()
    softplus = torch.nn.functional.softplus
    clicked = watch_time > 0
    biased = torch.where(clicked, watch_time * softplus(-logit), softplus(logit)).sum()
    (gradient,) = torch.autograd.grad(biased, logit)
    assert float(gradient) == pytest.approx(0.0, abs=1e-6)
    assert pinned["constant_model_optimal_odds"] == pytest.approx(2 * pinned["true_mean"])


def test_the_unit_of_weighted_logistic_changes_the_loss_but_not_the_estimate() -> None:
    watch_time = column(*VALUES["wlr_youtube"]["watch_time"])
    loss = WeightedLogistic(1).double()
    loss.fit_(watch_time, torch.ones_like(watch_time))
    constant = loss.constant_logit(watch_time, torch.ones_like(watch_time))
    assert float(constant) == pytest.approx(0.0)
    assert float(loss.score(constant)) == pytest.approx(130 / 6)
    assert "scale" in loss.state_dict()


def test_weighted_logistic_clips_only_the_score() -> None:
    loss = WeightedLogistic(1)
    assert bool(loss.score(torch.full((1, 1), 500.0)).isfinite())
    far = loss(torch.full((1, 1), 500.0), torch.zeros(1, 1))
    assert float(far) == 500.0


def test_a_negative_shift_is_refused() -> None:
    with pytest.raises(ValueError, match="`shift` must not be negative"):
        LogNormal(1, shift=-1.0)


def test_no_score_is_above_the_longest_observed_duration() -> None:
    loss = LogNormal(1)
    loss.fit_(torch.tensor([[5.0], [40.0], [900.0]]), torch.tensor([[1.0], [1.0], [0.0]]))
    assert loss.score(torch.tensor([[50.0]])).item() == 40.0

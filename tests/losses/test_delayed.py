"""Events that come late: rows count as far as they have waited."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from torch import Tensor

from paretorank.losses import BinaryCrossEntropy, DelayedFeedback

VALUES: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "values" / "losses.json").read_text()
)["delayed_feedback"]["exponential_delay"]


def double(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def logit_of(chance: float) -> Tensor:
    return double([[chance]]).logit()


def endless() -> DelayedFeedback:
    return DelayedFeedback(1 / VALUES["rate"], math.inf)


def test_a_waiting_row_has_the_pinned_likelihood() -> None:
    loss = endless()
    found = loss.waiting_losses(logit_of(VALUES["p"]), double([[VALUES["elapsed"]]]))
    assert float(found) == pytest.approx(VALUES["nll_not_yet"], abs=1e-9)
    by_hand = -math.log(1 - 0.3 * (1 - math.exp(-0.5 * 3)))
    assert float(found) == pytest.approx(by_hand, abs=1e-12)
    # An event has the likelihood of its delay too, which does not depend on the model.
    event = float(loss(logit_of(VALUES["p"]), double([[1.0]])))
    of_delay = -math.log(VALUES["rate"]) + VALUES["rate"] * VALUES["delay"]
    assert event + of_delay == pytest.approx(VALUES["nll_converted"], abs=1e-9)


def test_the_gradient_is_that_of_the_chance_that_the_event_is_still_to_come() -> None:
    logit = logit_of(VALUES["p"]).requires_grad_()
    endless().waiting_losses(logit, double([[VALUES["elapsed"]]])).sum().backward()
    assert logit.grad is not None
    p = VALUES["p"]
    assert float(logit.grad) == pytest.approx(VALUES["dnll_not_yet_dp"] * p * (1 - p), abs=1e-9)
    assert float(logit.grad) == pytest.approx(p - VALUES["posterior_will_convert"], abs=1e-9)


def test_a_row_of_this_moment_says_nothing_and_an_old_one_is_a_negative() -> None:
    logit, loss = logit_of(VALUES["p"]), endless()
    now, never = (
        loss.waiting_losses(logit, double([[0.0]])),
        loss.waiting_losses(logit, double([[1e6]])),
    )
    assert float(now) == pytest.approx(VALUES["limit_elapsed_0"], abs=1e-12)
    assert float(never) == pytest.approx(VALUES["limit_elapsed_inf"], abs=1e-9)
    assert float(loss.waiting_losses(logit, double([[-5.0]]))) == pytest.approx(0.0, abs=1e-12)


def test_delays_end_with_the_window() -> None:
    loss = DelayedFeedback(10.0, 5.0)
    ages = double([[0.0], [2.5], [5.0]])
    expected = [0.0, (1 - math.exp(-0.25)) / (1 - math.exp(-0.5)), 1.0]
    torch.testing.assert_close(loss.share_come(ages)[:, 0], double(expected))
    at_end = loss.waiting_losses(logit_of(0.3), double([[5.0]]))
    negative = BinaryCrossEntropy()(logit_of(0.3), double([[0.0]]))
    torch.testing.assert_close(at_end, negative, rtol=1e-9, atol=1e-9)


def test_only_rows_that_wait_have_another_loss() -> None:
    loss, logit = endless(), double([[0.3, -1.0], [0.3, -1.0], [0.3, -1.0]])
    ages = double([[torch.nan, 2.0], [1.0, torch.nan], [torch.nan, torch.nan]])
    label = double([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    found, plain = loss.given(ages)(logit, label), BinaryCrossEntropy()(logit, label)
    waits = ~ages.isnan()
    assert torch.equal(found[~waits], plain[~waits])
    torch.testing.assert_close(found[waits], loss.waiting_losses(logit[waits], ages[waits]))
    assert torch.equal(loss.given(ages).score(logit), logit.sigmoid())


@pytest.mark.parametrize("size", [60.0, -60.0, 1e3, -1e3])
@pytest.mark.parametrize("age", [torch.nan, 0.0, 1.0, 5.0, 1e9])
def test_loss_and_gradient_are_finite_everywhere(size: float, age: float) -> None:
    for dtype in (torch.float32, torch.float64):
        logit = torch.full((1, 1), size, dtype=dtype, requires_grad=True)
        ages = torch.full((1, 1), age, dtype=dtype)
        loss = DelayedFeedback(2.0, 5.0).given(ages)(logit, torch.zeros_like(logit))
        loss.sum().backward()
        assert loss.isfinite().all()
        assert logit.grad is not None
        assert logit.grad.isfinite().all()


def test_the_rate_of_events_is_found_on_a_log_that_ends_too_early() -> None:
    """The log is drawn with NumPy; leaving young zeros out, or taking them as final, is biased."""
    rng = np.random.default_rng(0)
    n_rows, rate, mean_delay, window = 200_000, 0.2, 40.0, 100.0
    delay = rng.exponential(mean_delay, 3 * n_rows)
    delay = delay[delay < window][:n_rows]
    age = rng.uniform(0, 120, n_rows)
    came = (rng.random(n_rows) < rate) & (delay <= age)
    waits = ~came & (age < window)
    ages = torch.from_numpy(np.where(waits, age, np.nan))[:, None]
    label = torch.from_numpy(came.astype(float))[:, None]
    loss = DelayedFeedback(mean_delay, window).given(ages)

    def slope(value: float) -> float:
        logit = torch.full_like(label, value).requires_grad_()
        loss(logit, label).mean().backward()
        assert logit.grad is not None
        return float(logit.grad.sum())

    found = 1 / (1 + math.exp(-brentq(slope, -5.0, 5.0)))
    assert found == pytest.approx(rate, abs=0.004)
    start = loss.constant_logit(label, torch.ones_like(label))
    assert float(start.sigmoid()) == pytest.approx(found, abs=1e-4)
    assert came.mean() < rate - 0.03
    assert came[~waits].mean() > rate + 0.1
    # What NumPy finds as the root of the same likelihood, written down once more.
    share = -np.expm1(-age / mean_delay) / -np.expm1(-window / mean_delay)
    share = np.where(waits, share, 1.0)

    def score(p: float) -> float:
        return float(np.mean(np.where(came, 1 / p, -share / (1 - p * share))))

    assert found == pytest.approx(brentq(score, 0.01, 0.9), abs=1e-6)


@pytest.mark.parametrize(("mean", "window"), [(0.0, 1.0), (1.0, 0.0)])
def test_impossible_delays_are_refused(mean: float, window: float) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        DelayedFeedback(mean, window)

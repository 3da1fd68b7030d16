"""Dynamic task prioritisation."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from paretorank.balancing import Prioritisation, PrioritisationConfig, Uncertainty, priority
from paretorank.foundation.errors import ConfigError, TrainingError

VALUES: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "values" / "balancing.json").read_text()
)
NAMES = ("a", "b", "c")
NAN = math.nan
BRIEF = {"base_steps": 1, "window_steps": 1, "newest_share": 1.0}


def double(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def build(**settings: Any) -> Prioritisation:
    balancer = PrioritisationConfig(**{**BRIEF, **settings}).build(
        task_names=NAMES, balance_factors=torch.ones(3), generator=torch.Generator()
    )
    return balancer.double()


def step(balancer: Prioritisation, *values: float) -> list[float]:
    losses = double(*values).requires_grad_()
    balancer(losses).backward()
    assert losses.grad is not None
    return losses.grad.tolist()


def test_weights_by_progress_have_the_pinned_values() -> None:
    pinned = VALUES["prioritisation"]
    weights = priority(double(*pinned["progress"]), gamma=pinned["gamma"])
    assert weights.tolist() == pytest.approx(pinned["weights"], abs=1e-5)


@given(
    st.lists(st.floats(0.001, 0.999), min_size=2, max_size=2, unique=True),
    st.sampled_from([0.0, 0.5, 1.0, 2.0]),
)
def test_less_progress_always_means_more_weight(progress: list[float], gamma: float) -> None:
    weights = priority(double(*sorted(progress)), gamma=gamma).tolist()
    assert weights[0] > weights[1] > 0


def test_a_finished_task_has_no_priority_and_equal_progress_the_same() -> None:
    weights = priority(double(1.0, 0.4, 0.4), gamma=1.0).tolist()
    assert weights[0] == 0
    assert weights[1] == weights[2]


def test_progress_is_measured_against_the_first_losses() -> None:
    balancer = build(mean_is_one=False)
    assert step(balancer, 2.0, 0.5, 8.0) == [4.0, 4.0, 4.0]  # nobody has made any progress
    step(balancer, 1.6, 0.25, 0.8)
    assert balancer.progress.tolist() == pytest.approx([0.2, 0.5, 0.9])
    weights = step(balancer, 1.0, 1.0, 1.0)
    assert weights == pytest.approx(VALUES["prioritisation"]["weights"], abs=1e-5)


def test_by_default_the_weights_have_a_mean_of_one_over_the_present_tasks() -> None:
    balancer = build()
    step(balancer, 2.0, 0.5, 8.0)
    step(balancer, 1.6, 0.25, 0.8)
    assert sum(step(balancer, 1.6, 0.25, 0.8)) == pytest.approx(3.0)
    weights = step(balancer, 1.6, NAN, 0.8)
    assert weights[1] == 0.0
    assert sum(weights) == pytest.approx(2.0)


def test_it_orders_tasks_the_other_way_round_than_uncertainty() -> None:
    relative = (0.9, 0.5, 0.2)  # losses relative to the base rate: the first task lags behind
    balancer = build()
    step(balancer, 1.0, 1.0, 1.0)
    step(balancer, *relative)
    lagging = step(balancer, *relative)
    losses = double(*relative).requires_grad_()
    Uncertainty(NAMES, torch.ones(3)).double()(losses).backward()
    assert losses.grad is not None
    settled = losses.grad.tolist()
    assert lagging[0] > lagging[1] > lagging[2]
    assert settled[0] < settled[1] < settled[2]


def test_a_ceiling_lets_a_noisy_task_come_to_an_end() -> None:
    plain, limited = build(), build(ceilings={"a": 0.2})
    for balancer in (plain, limited):
        step(balancer, 1.0, 1.0, 1.0)
        step(balancer, 0.8, 0.5, 0.5)
    assert limited.progress.tolist() == pytest.approx([1.0, 0.5, 0.5])
    assert step(plain, 1.0, 1.0, 1.0)[0] > 1.0
    assert 0.0 < step(limited, 1.0, 1.0, 1.0)[0] < 0.01


def test_the_weight_of_a_task_that_got_worse_is_bounded() -> None:
    balancer = build(mean_is_one=False, max_weight=2.0)
    step(balancer, 1.0, 1.0, 1.0)
    step(balancer, 1e6, 0.5, 0.5)
    assert balancer.progress.tolist() == [0.0, 0.5, 0.5]
    assert step(balancer, 1.0, 1.0, 1.0)[0] == 2.0


def test_progress_is_a_moving_average_over_windows() -> None:
    balancer = build(window_steps=2, newest_share=0.25)
    step(balancer, 1.0, 1.0, 1.0)
    for loss in (0.7, 0.5, 0.1, 0.3):
        step(balancer, loss, loss, loss)
    expected = 0.75 * 0.4 + 0.25 * 0.8
    assert balancer.progress.tolist() == pytest.approx([expected] * 3)


def test_an_absent_task_keeps_its_progress_and_its_own_clock() -> None:
    balancer = build(window_steps=2)
    step(balancer, 1.0, 1.0, 1.0)
    step(balancer, 0.5, NAN, 0.5)
    step(balancer, 0.5, 0.25, 0.5)
    assert balancer.progress.isnan().tolist() == [False, True, False]
    step(balancer, 0.5, 0.25, 0.5)
    assert balancer.progress.tolist() == pytest.approx([0.5, 0.75, 0.5])


def test_known_base_losses_are_not_estimated() -> None:
    balancer = build(base_losses={"b": 4.0})
    step(balancer, 1.0, 1.0, 1.0)
    assert balancer.progress.isnan().tolist() == [True, False, True]
    assert float(balancer.progress[1]) == pytest.approx(0.75)
    assert balancer.first.count.tolist() == [1.0, 0.0, 1.0]


def test_a_base_rate_without_a_positive_loss_is_refused() -> None:
    with pytest.raises(TrainingError, match="above 0"):
        build()(double(1.0, -0.2, 1.0))
    known = build(base_losses={"b": 1.0})
    assert float(known(double(1.0, -0.2, 1.0))) == pytest.approx(1.8)


@pytest.mark.parametrize(
    "settings",
    [
        {"gamma": -1.0},
        {"max_weight": 0.0},
        {"ceilings": {"a": 1.5}},
        {"ceilings": {"a": 0.0}},
        {"base_losses": {"a": 0.0}},
        {"newest_share": 0.0},
        {"window_steps": 0},
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PrioritisationConfig(**settings)


def test_a_ceiling_for_a_task_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"balancer\.ceilings.*'d'"):
        build(ceilings={"d": 0.5})

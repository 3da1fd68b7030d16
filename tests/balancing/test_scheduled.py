"""Static weights that grow or fade."""

import math
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from paretorank.balancing import Scheduled, ScheduledConfig
from paretorank.foundation.errors import ConfigError

NAMES = ("a", "b", "c")


def build(**settings: Any) -> Scheduled:
    return ScheduledConfig(**settings).build(
        task_names=NAMES, balance_factors=torch.ones(3), generator=torch.Generator()
    )


def step(balancer: Scheduled, *values: float) -> list[float]:
    losses = torch.tensor(values, requires_grad=True)
    balancer(losses).backward()
    assert losses.grad is not None
    return losses.grad.tolist()


def test_after_t_windows_a_weight_has_grown_t_times() -> None:
    balancer = build(weights={"a": 2.0}, growth={"a": 0.5, "b": 3.0}, window_steps=2)
    found = [step(balancer, 1.0, 1.0, 1.0) for _ in range(5)]
    assert found[0] == pytest.approx([2.0, 1.0, 1.0])
    assert found[1] == pytest.approx([2.0 * math.sqrt(0.5), math.sqrt(3.0), 1.0])
    assert found[2] == pytest.approx([1.0, 3.0, 1.0])
    assert found[4] == pytest.approx([0.5, 9.0, 1.0])


def test_without_growth_it_is_a_weighted_sum() -> None:
    balancer = build(weights={"b": 2.5}, window_steps=1)
    for _ in range(3):
        assert step(balancer, 0.1, 5.0, 9.0) == [1.0, 2.5, 1.0]


def test_a_weight_stops_at_the_largest_change() -> None:
    balancer = build(growth={"a": 10.0, "b": 0.1}, window_steps=1, largest_change=50.0)
    for _ in range(400):
        weights = step(balancer, 1.0, 1.0, 1.0)
    assert weights == pytest.approx([50.0, 1 / 50, 1.0])


def test_the_clock_runs_while_a_task_is_absent_but_not_while_all_are() -> None:
    balancer, nan = build(growth={"a": 2.0}, window_steps=1), math.nan
    step(balancer, nan, 1.0, 1.0)
    step(balancer, nan, nan, nan)
    assert step(balancer, 1.0, 1.0, 1.0) == pytest.approx([2.0, 1.0, 1.0])


def test_a_task_that_does_not_exist_cannot_grow() -> None:
    with pytest.raises(ConfigError, match=r"balancer\.growth.*'d'"):
        build(growth={"d": 2.0})


@pytest.mark.parametrize(
    "settings",
    [{"growth": {"a": 0.0}}, {"weights": {"a": -1.0}}, {"largest_change": 0.5}],
)
def test_impossible_schedules_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ScheduledConfig(**settings)

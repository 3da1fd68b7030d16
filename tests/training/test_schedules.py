"""The learning rate of a step, by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretorank.training import ScheduleConfig
from paretorank.training.schedules import rate_at


def test_warm_up_rises_in_equal_parts_and_is_over_after_its_share() -> None:
    config = ScheduleConfig(kind="constant", warmup_fraction=0.3)
    rates = [rate_at(config, step, 10) for step in range(10)]
    assert rates == pytest.approx([0.25, 0.5, 0.75, *[1.0] * 7])


def test_a_line_falls_from_one_to_the_final_fraction() -> None:
    config = ScheduleConfig(kind="linear", warmup_fraction=0.0, final_fraction=0.2)
    rates = [rate_at(config, step, 4) for step in range(5)]
    assert rates == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2])


def test_half_a_cosine_falls_slowly_first() -> None:
    config = ScheduleConfig(kind="cosine", warmup_fraction=0.0, final_fraction=0.0)
    rates = [rate_at(config, step, 4) for step in range(5)]
    expected = [0.5 * (1 + math.cos(math.pi * done)) for done in (0, 0.25, 0.5, 0.75, 1)]
    assert rates == pytest.approx(expected)


def test_the_defaults_warm_up_and_then_fall_on_a_line() -> None:
    rates = [rate_at(ScheduleConfig(), step, 100) for step in range(100)]
    assert rates[:3] == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert rates[50] == pytest.approx(0.05 + 0.95 * (1 - 48 / 98))
    assert rates[-1] == pytest.approx(0.05 + 0.95 / 98)


@given(
    kind=st.sampled_from(["constant", "linear", "cosine"]),
    warmup=st.floats(0, 0.99),
    final=st.floats(0, 1),
    n_steps=st.integers(1, 200),
    past_the_end=st.integers(0, 20),
)
def test_every_step_has_a_rate_between_zero_and_one(
    kind: str, warmup: float, final: float, n_steps: int, past_the_end: int
) -> None:
    config = ScheduleConfig.model_validate(
        {"kind": kind, "warmup_fraction": warmup, "final_fraction": final}
    )
    for step in range(n_steps + past_the_end):
        rate = rate_at(config, step, n_steps)
        assert 0 <= rate <= 1
        assert rate > 0 or final == 0

"""The multi-task gain has its published sign and pinned value."""

import json
import math
from pathlib import Path

import pytest

from paretorank.evaluation import multitask_gain, relative_gain


def test_the_gain_has_its_pinned_value() -> None:
    path = Path(__file__).parents[1] / "values" / "metrics.json"
    case = json.loads(path.read_text(encoding="utf-8"))["delta_m"]
    gain = multitask_gain(
        case["multi_task"],
        case["single_task"],
        higher_is_better=[not is_lower for is_lower in case["lower_is_better"]],
    )
    assert 100 * gain == pytest.approx(case["percent"], abs=1e-10)


def test_a_smaller_error_is_a_gain() -> None:
    assert relative_gain(1.8, 2.0, higher_is_better=False) == pytest.approx(0.1)


def test_better_stays_better_for_metrics_below_zero() -> None:
    assert relative_gain(-0.1, -0.2, higher_is_better=True) == pytest.approx(0.5)


@pytest.mark.parametrize(("value", "reference"), [(math.nan, 1.0), (1.0, math.nan), (1.0, 0.0)])
def test_what_cannot_be_compared_has_no_gain(value: float, reference: float) -> None:
    gain = multitask_gain([value, 2.0], [reference, 1.0], higher_is_better=[True, True])
    assert math.isnan(gain)


def test_every_task_needs_its_three_entries() -> None:
    with pytest.raises(ValueError, match="one entry per task, got 1, 2 and 2"):
        multitask_gain([1.0], [1.0, 2.0], higher_is_better=[True, True])
    with pytest.raises(ValueError, match="got 0, 0 and 0"):
        multitask_gain([], [], higher_is_better=[])

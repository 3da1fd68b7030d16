"""Presets by name: ranges in the units of the columns."""

from typing import get_args

import pytest

from paretorank.foundation.errors import ConfigError
from paretorank.fusion import WeightRange
from paretorank.fusion.preset import PresetName, preset_formula

COLUMNS = ("click", "like", "watch")
MEANS = {"click": 0.5, "like": 0.01, "watch": 20.0}


def test_a_sum_begins_where_every_term_is_as_large_as_the_first() -> None:
    formula = preset_formula("weighted_sum", COLUMNS, MEANS)
    assert formula.ranges == {
        "w_like": WeightRange(0.0, 500.0, 50.0),
        "w_watch": WeightRange(0.0, 0.25, 0.025),
    }


def test_factors_beside_a_one_begin_where_their_term_is_one() -> None:
    gated = preset_formula("click_gated_sum", COLUMNS, MEANS)
    assert gated.ranges["w_like"] == WeightRange(0.0, 1_000.0, 100.0)
    shifted = preset_formula("shifted_product", COLUMNS, MEANS)
    assert shifted.ranges["b_watch"] == WeightRange(0.0, 0.5, 0.05)
    assert shifted.ranges["a_watch"] == WeightRange()


@pytest.mark.parametrize("name", get_args(PresetName))
def test_every_preset_reads_all_columns_and_can_be_searched(name: PresetName) -> None:
    formula = preset_formula(name, COLUMNS, MEANS | {"watch": 0.0})
    assert formula.columns == COLUMNS
    assert formula.weights
    for range_ in formula.ranges.values():
        assert range_.low <= range_.start <= range_.high


@pytest.mark.parametrize("name", get_args(PresetName))
def test_one_column_has_nothing_to_weigh(name: PresetName) -> None:
    with pytest.raises(ConfigError, match=f"preset {name} must have 2 tasks"):
        preset_formula(name, ["click"], {"click": 1.0})

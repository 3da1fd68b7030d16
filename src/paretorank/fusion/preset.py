"""The usual formulas by name, with ranges in the units of their columns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal

from paretorank.foundation.errors import ConfigError
from paretorank.fusion.formula import Formula, WeightRange
from paretorank.fusion.presets import (
    FACTOR,
    click_gated_sum,
    rank_ensemble,
    shifted_product,
    weighted_product,
    weighted_sum,
)

PresetName = Literal[
    "weighted_product", "weighted_sum", "click_gated_sum", "shifted_product", "rank_ensemble"
]


def preset_formula(name: PresetName, columns: Sequence[str], means: Mapping[str, float]) -> Formula:
    """Return a preset over columns, each factor in the unit in which its term counts.

    A sum begins where every term is on average as large as the first one, and goes up to ten times
    that; a shifted product begins where its column adds 1 to the 1 on average.

    Args:
        name: of the preset.
        columns: in order; the first one is the click of `click_gated_sum`, else what certainly
            counts.
        means: mean size of each column.

    Raises:
        ConfigError: there are too few columns.
    """
    if len(columns) < _FEWEST:
        raise ConfigError(
            f"The preset {name} must have {_FEWEST} tasks to weigh, got {list(columns)}.",
            hint="Write a formula of your own with --formula.",
        )
    formula = _PRESETS[name](columns)
    if name in {"weighted_product", "rank_ensemble"}:
        return formula
    unit = means[columns[0]] if name == "weighted_sum" else 1.0
    factor = "b" if name == "shifted_product" else "w"
    ranges = dict(formula.ranges)
    for column in columns:
        weight = f"{factor}_{column}"
        if weight in ranges and means[column] > 0.0:
            start = float(f"{(unit or 1.0) / means[column]:.3g}")
            ranges[weight] = WeightRange(0.0, FACTOR.high * start, start)
    return replace(formula, ranges=ranges)


_FEWEST: Final = 2
_PRESETS: Final[dict[PresetName, Callable[[Sequence[str]], Formula]]] = {
    "weighted_product": weighted_product,
    "weighted_sum": weighted_sum,
    "click_gated_sum": lambda columns: click_gated_sum(columns[0], columns[1:]),
    "shifted_product": shifted_product,
    "rank_ensemble": rank_ensemble,
}

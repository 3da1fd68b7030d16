"""The usual formulas: what they say, which weights are free, and where a search may look."""

import pytest

from paretorank.foundation.errors import ConfigError
from paretorank.fusion import (
    Formula,
    WeightRange,
    click_gated_sum,
    rank_ensemble,
    shifted_product,
    weighted_product,
    weighted_sum,
)

TASKS = ("click", "like", "long view")


@pytest.mark.parametrize(
    ("formula", "text", "weights"),
    [
        (
            weighted_sum(TASKS),
            "click + $w_like * like + $`w_long view` * `long view`",
            ("w_like", "w_long view"),
        ),
        (
            click_gated_sum("click", TASKS[1:]),
            "click * (1 + $w_like * like + $`w_long view` * `long view`)",
            ("w_like", "w_long view"),
        ),
        (
            weighted_product(TASKS),
            "click * like^$a_like * `long view`^$`a_long view`",
            ("a_like", "a_long view"),
        ),
        (
            shifted_product(TASKS[:2]),
            "(1 + $b_click * click) * (1 + $b_like * like)^$a_like",
            ("b_click", "b_like", "a_like"),
        ),
        (
            rank_ensemble(TASKS[:2], exponent=0.5, offset=0.0),
            "reciprocal_rank(click, 0.5, 0) + $w_like * reciprocal_rank(like, 0.5, 0)",
            ("w_like",),
        ),
    ],
)
def test_a_preset_says_what_its_docstring_says(
    formula: Formula, text: str, weights: tuple[str, ...]
) -> None:
    assert str(formula) == text
    assert formula.weights == weights
    assert set(formula.ranges) == set(weights)


def test_exponents_and_factors_have_their_own_ranges() -> None:
    ranges = shifted_product(TASKS[:2], factor=WeightRange(0.0, 5.0, 2.0)).ranges
    assert ranges["a_like"] == WeightRange(0.0, 2.0, 1.0)
    assert ranges["b_like"] == WeightRange(0.0, 5.0, 2.0)


def test_one_column_is_a_formula_without_weights() -> None:
    for preset in (weighted_sum, weighted_product, rank_ensemble):
        assert preset(["click"]).weights == ()


@pytest.mark.parametrize("names", [[], ["click", "click"]])
def test_no_columns_and_doubled_columns_are_refused(names: list[str]) -> None:
    with pytest.raises(ConfigError, match="each once"):
        weighted_product(names)

"""Fused scores: pinned values, invariances, safety, and one result by every way of computing."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from paretorank.foundation.errors import ConfigError
from paretorank.fusion import (
    Formula,
    FusionScorer,
    WeightRange,
    fused_score,
    parse_formula,
    rank_ensemble,
    shifted_product,
    weighted_product,
    weighted_sum,
)
from paretorank.fusion.module import FormulaModule

VALUES: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "values" / "fusion.json").read_text(encoding="utf-8")
)
NAMES = ("a", "b", "c")
ROWS = np.random.default_rng(0).uniform(0.01, 1.0, (60, 3))
REQUEST = np.random.default_rng(1).integers(0, 9, 60)
SAFE = "log(a) + a^0.5 + a^-1 + sqrt(a) + 1 / a + exp(a) * exp(a) + a / (a - a)"


def scored(text: str, rows: np.ndarray = ROWS, request: np.ndarray | None = REQUEST) -> np.ndarray:
    return FusionScorer(parse_formula(text), NAMES, rows, request)()


def weighted(terms: str, joint: str) -> str:
    """Return terms such as "{w} * {x}" of the pinned columns, joined."""
    columns = zip(NAMES, VALUES["exponents"], VALUES["one_plus_scale"], strict=True)
    return joint.join(terms.format(x=x, w=w, b=b) for x, w, b in columns)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("weighted_product", weighted("{x}^{w}", " * ")),
        ("log_form", weighted("{w} * log({x})", " + ")),
        ("weighted_sum", weighted("{w} * {x}", " + ")),
        ("one_plus", weighted("(1 + {b} * {x})^{w}", " * ")),
        ("rank_ensemble_reciprocal", weighted("{w} * reciprocal_rank({x}, 1, 60)", " + ")),
        ("ensemble_sort", weighted("{w} / place({x})^0.5", " + ")),
    ],
)
def test_a_fused_score_has_its_pinned_value(key: str, text: str) -> None:
    found = scored(text, np.array(VALUES["scores"]), None)
    np.testing.assert_allclose(found, VALUES[key], rtol=1e-10)


@pytest.mark.parametrize(("name", "column"), [("a", 0), ("b", 1), ("c", 2)])
def test_places_have_their_pinned_values(name: str, column: int) -> None:
    found = scored(f"place({name})", np.array(VALUES["scores"]), None)
    np.testing.assert_array_equal(found, np.array(VALUES["ranks_desc"])[:, column])


def test_ranks_within_requests_by_hand() -> None:
    rows = np.array([[0.1], [0.7], [0.7], [0.4], [np.nan], [0.2]])
    request = np.array([5, 5, 3, 5, 5, 3])  # request 5: .1 .7 .4 and a missing one; 3: .7 .2
    formula = parse_formula("rank(a)")
    found = FusionScorer(formula, ["a"], rows, request)()
    np.testing.assert_allclose(found, [1 / 3, 1.0, 1.0, 2 / 3, np.nan, 0.5])


def test_tied_rows_share_the_mean_of_their_places() -> None:
    found = FusionScorer(parse_formula("place(a)"), ["a"], np.array([[0.5], [0.9], [0.5]]))()
    np.testing.assert_array_equal(found, [2.5, 1.0, 2.5])


SCALES = st.lists(st.floats(0.01, 100.0), min_size=3, max_size=3).map(np.array)


@given(SCALES)
@settings(max_examples=15)
def test_rescaling_a_column_keeps_the_order_of_a_product(scale: np.ndarray) -> None:
    scorer, other = (
        FusionScorer(weighted_product(NAMES), NAMES, rows) for rows in (ROWS, ROWS * scale)
    )
    weights = {"a_b": 0.5, "a_c": 0.3}
    np.testing.assert_array_equal(scorer(weights).argsort(), other(weights).argsort())


def test_rescaling_a_column_changes_the_order_of_a_sum() -> None:
    scale = np.array([1.0, 1.0, 20.0])
    before, after = (
        FusionScorer(weighted_sum(NAMES), NAMES, rows)() for rows in (ROWS, ROWS * scale)
    )
    assert (before.argsort() != after.argsort()).any()


def test_increasing_transforms_do_not_change_a_rank_ensemble() -> None:
    bent = np.stack([np.log(ROWS[:, 0]), ROWS[:, 1] ** 3, 5.0 * ROWS[:, 2] - 2.0], axis=1)
    scorer, other = (
        FusionScorer(rank_ensemble(NAMES), NAMES, rows, REQUEST) for rows in (ROWS, bent)
    )
    weights = {"w_b": 0.5, "w_c": 3.0}
    np.testing.assert_array_equal(scorer(weights), other(weights))


def test_multiplying_all_exponents_keeps_the_order_of_a_product() -> None:
    before, after = scored("a * b^0.5 * c^0.2"), scored("a^3 * b^1.5 * c^0.6")
    np.testing.assert_array_equal(before.argsort(), after.argsort())


@pytest.mark.parametrize("score", [0.0, -0.0, -1.0, 1e-320, 1e308, np.inf, -np.inf])
def test_every_result_is_finite_and_nothing_warns(score: float) -> None:
    formula, rows = parse_formula(SAFE), np.array([[score], [0.5]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = FusionScorer(formula, ["a"], rows)()
        module = FormulaModule(formula, ["a"])(torch.from_numpy(rows)).numpy()
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, module, rtol=1e-12)


def test_powers_and_logs_take_what_is_not_positive_as_epsilon() -> None:
    rows = np.array([[0.0], [-3.0], [1e-12]])
    for text in ("log(a)", "a^0.5", "sqrt(a)", "a^2", "a^-0.1"):
        found = FusionScorer(parse_formula(text), ["a"], rows)()
        np.testing.assert_array_equal(found, found[2])


@pytest.mark.parametrize("text", ["a^0", "0 * a", "min(a, 0)", "clip(a, 0, 1)", "1 / a", "rank(a)"])
def test_a_missing_score_makes_its_row_missing_and_no_other(text: str) -> None:
    rows = np.array([[0.3], [np.nan], [0.5]])
    found = FusionScorer(parse_formula(text), ["a"], rows)()
    module = FormulaModule(parse_formula(text), ["a"])(torch.from_numpy(rows)).numpy()
    np.testing.assert_array_equal(np.isnan(found), [False, True, False])
    np.testing.assert_allclose(found, module, rtol=1e-12)


COLUMNS = st.sampled_from(NAMES)
POSITIVE = st.recursive(
    st.one_of(COLUMNS, st.just("$w"), st.floats(0.01, 3.0).map(repr)),
    lambda inner: st.one_of(
        st.builds("({} + {})".format, inner, inner),
        st.builds("{} * ({})".format, inner, inner),
        st.builds("{} / ({})".format, inner, inner),
        st.builds("({})^{}".format, inner, st.sampled_from(["0.3", "-1", "1.5"])),
        st.builds("exp(-min({}, 3))".format, inner),
        st.builds("clip({}, 0.1, max({}, 2))".format, inner, inner),
    ),
    max_leaves=8,
)
FORMULAS = st.one_of(
    POSITIVE,
    st.builds("rank({}) + {}".format, COLUMNS, POSITIVE),
    st.builds("reciprocal_rank({}, $w, 60) * {}".format, COLUMNS, POSITIVE),
    st.builds("sqrt({}) * place({}^$w)".format, POSITIVE, COLUMNS),
)


@given(FORMULAS, st.floats(0.1, 2.0))
@settings(max_examples=40)
def test_numpy_once_prepared_and_torch_agree(text: str, weight: float) -> None:
    formula = parse_formula(text)
    weights = dict.fromkeys(formula.weights, weight)
    columns = dict(zip(NAMES, ROWS.T, strict=True))
    prepared = FusionScorer(formula, NAMES, ROWS)(weights)
    module = FormulaModule(formula, NAMES, weights)(torch.from_numpy(ROWS)).numpy()
    np.testing.assert_allclose(fused_score(formula.tree, columns, weights), prepared, rtol=1e-9)
    np.testing.assert_allclose(module, prepared, rtol=1e-6)


def test_ranks_of_what_depends_on_weights_are_computed_anew() -> None:
    formula = parse_formula("rank(a + $w * rank(b + $v * c)) + $w")
    scorer = FusionScorer(formula, NAMES, ROWS, REQUEST)
    columns = dict(zip(NAMES, ROWS.T, strict=True))
    for weights in ({"w": 0.0, "v": 1.0}, {"w": 2.0, "v": 0.3}):
        once = fused_score(formula.tree, columns, weights, REQUEST)
        np.testing.assert_allclose(scorer(weights), once, rtol=1e-12)


def test_requests_are_ranked_apart() -> None:
    found = scored("rank(a)")
    for code in np.unique(REQUEST):
        own = FusionScorer(parse_formula("rank(a)"), NAMES, ROWS[code == REQUEST])()
        np.testing.assert_array_equal(found[code == REQUEST], own)


@pytest.mark.parametrize("preset", [weighted_sum, weighted_product, shifted_product, rank_ensemble])
def test_numbers_in_the_place_of_weights_change_nothing(preset: Any) -> None:
    formula: Formula = preset(["a", "b", "c"])
    weights = {name: 0.25 * at - 0.5 for at, name in enumerate(formula.weights)}
    filled = formula.with_weights(weights)
    assert filled.weights == ()
    expected = FusionScorer(formula, NAMES, ROWS, REQUEST)(weights)
    np.testing.assert_allclose(scored(str(filled)), expected, rtol=1e-12)


def test_no_rows_have_no_scores() -> None:
    formula = parse_formula("rank(a) + $w * place($w * b)")
    assert FusionScorer(formula, NAMES, np.empty((0, 3)), np.empty(0, int))().shape == (0,)


def test_a_formula_without_columns_scores_every_row() -> None:
    np.testing.assert_array_equal(scored("2 * 3 + rank(1)"), np.full(60, scored("2*3 + rank(1)")))


def test_wrong_weights_ranges_and_columns_are_refused() -> None:
    formula = parse_formula("a * b^$w_like")
    with pytest.raises(ConfigError, match="got 'w_lik'") as caught:
        FusionScorer(formula, NAMES, ROWS)({"w_lik": 1.0})
    assert "w_like" in caught.value.hint
    with pytest.raises(ConfigError, match="finite"):
        formula.with_weights({"w_like": np.nan})
    with pytest.raises(ConfigError, match="got 'b'"):
        FusionScorer(formula, ["a", "bb"], ROWS[:, :2])
    with pytest.raises(ConfigError, match="range must belong"):
        parse_formula("a", ranges={"w": WeightRange()})
    with pytest.raises(ConfigError, match="low <= start <= high"):
        parse_formula("a^$w", ranges={"w": WeightRange(0.0, 1.0, 2.0)})
    with pytest.raises(ValueError, match="3 columns"):
        FusionScorer(formula, NAMES, ROWS[:, :2])


@pytest.mark.parametrize(
    ("opening", "closing"), [("sqrt(", ")"), ("1.5^", ""), ("rank($w - ", ")")]
)
def test_the_deepest_formula_can_be_computed(opening: str, closing: str) -> None:
    formula = parse_formula(opening * 31 + "a" + closing * 31)
    rows = ROWS[:5]
    found = FusionScorer(formula, NAMES, rows)()
    module = FormulaModule(formula, NAMES)(torch.from_numpy(rows)).numpy()
    np.testing.assert_allclose(found, module, rtol=1e-6)
    assert parse_formula(str(formula)) == formula

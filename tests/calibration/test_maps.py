"""Every map: values by hand, order kept, NaN passed through, weights and data."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from paretorank.calibration import (
    CHANCE_FITS,
    VALUE_FITS,
    BetaMap,
    CalibrationMap,
    HistogramMap,
    IdentityMap,
    IsotonicMap,
    Knots,
    PlattMap,
    ScaleMap,
    corrected,
    fit_beta,
    fit_histogram,
    fit_isotonic,
    fit_platt,
    fit_scale,
    fit_temperature,
    isotonic_steps,
    restoring_weight,
)
from paretorank.calibration.logistic import smoothed_targets
from paretorank.metrics import (
    ExpectedCalibrationError,
    LogLoss,
    Metric,
    NormalizedEntropy,
    PredictedOverObserved,
    Rows,
    weighted_auc,
)

VALUES = json.loads((Path(__file__).parents[1] / "values" / "calibration.json").read_text())
ADAPTER: TypeAdapter[Any] = TypeAdapter(CalibrationMap)
GRID = np.linspace(0.0, 1.0, 501)


def rows_of(score: Any, label: Any, weight: Any = None) -> Rows:
    score = np.asarray(score, float)
    weight = np.ones(len(score)) if weight is None else np.asarray(weight, float)
    return Rows(score, np.asarray(label, float), weight)


def simulated(n: int, *, slope: float, shift: float, seed: int = 0) -> Rows:
    """Return scores whose true logit is `slope * logit + shift`."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(-1.0, 1.5, n)
    truth = 1 / (1 + np.exp(-(slope * logits + shift)))
    label = (generator.random(n) < truth).astype(float)
    return rows_of((1 / (1 + np.exp(-logits))).astype(np.float32), label)


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        (PredictedOverObserved(), "pcoc"),
        (ExpectedCalibrationError(5), "ece_5_equal_width_bins"),
        (LogLoss(), "logloss"),
        (NormalizedEntropy(), "normalised_entropy"),
    ],
)
def test_metrics_of_calibration_have_the_values_worked_out_by_hand(
    metric: Metric, name: str
) -> None:
    known = VALUES["metrics"]
    metric.update(np.array(known["p"]), np.array(known["y"]))
    assert metric.result() == pytest.approx(known[name], abs=1e-11)


def test_violators_are_pooled_as_by_hand() -> None:
    known = VALUES["isotonic"]
    scores, heights = isotonic_steps(rows_of(known["x"], known["y"]))
    fitted = np.interp(known["x"], scores, heights)
    np.testing.assert_allclose(fitted, known["fitted"], atol=1e-12)


def test_smoothed_targets_and_intercept_are_those_worked_out_by_hand() -> None:
    known = VALUES["platt"]
    label = [1] * known["n_pos"] + [0] * known["n_neg"]
    rows = rows_of([0.5] * len(label), label)  # a logit of 0: only the intercept can fit
    ends = [known["t_plus"], known["t_minus"]]
    assert smoothed_targets(rows)[[0, -1]] == pytest.approx(ends)
    assert fit_platt(rows).intercept == pytest.approx(known["intercept_only_logit"], abs=1e-6)


def test_down_sampling_is_corrected_as_by_hand() -> None:
    known = VALUES["down_sampling"]
    found = corrected(np.array(known["p_model"]), known["keep_rate"])
    np.testing.assert_allclose(found, known["p_corrected"], rtol=1e-11)


def test_kept_rows_stand_for_the_dropped_ones_of_every_task() -> None:
    label = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, np.nan], [np.nan, 0.0]])
    found = restoring_weight(label, np.array([0.1, 0.5]))
    np.testing.assert_allclose(found, [20.0, 10.0, 1.0, 2.0])


@pytest.mark.parametrize("rate", [0.0, -0.1, 1.1])
def test_a_keep_rate_that_is_no_rate_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="`keep_rate` must be above 0 and at most 1"):
        corrected(np.array([0.5]), rate)


def test_platt_finds_the_line_that_bent_the_scores() -> None:
    fitted = fit_platt(simulated(40_000, slope=0.6, shift=-0.8))
    assert fitted.slope == pytest.approx(0.6, abs=0.03)
    assert fitted.intercept == pytest.approx(-0.8, abs=0.05)


def test_platt_agrees_with_an_independent_logistic_regression() -> None:
    from sklearn.linear_model import LogisticRegression

    rows = simulated(5_000, slope=0.7, shift=0.5)
    logits = np.log(rows.score / (1 - rows.score))[:, None]
    other = LogisticRegression(C=1e9, tol=1e-10).fit(logits, rows.label)
    fitted = fit_platt(rows)
    assert fitted.slope == pytest.approx(float(other.coef_[0, 0]), abs=5e-3)  # smoothed targets
    assert fitted.intercept == pytest.approx(float(other.intercept_[0]), abs=5e-3)


def test_temperature_finds_how_much_too_sure_scores_are() -> None:
    assert fit_temperature(simulated(40_000, slope=0.5, shift=0.0)).temperature == pytest.approx(
        2.0, abs=0.1
    )


def test_beta_holds_the_platt_map_of_a_line_and_finds_skew() -> None:
    line = PlattMap(slope=0.7, intercept=-0.2)
    same = BetaMap(a=0.7, b=0.7, c=-0.2)
    np.testing.assert_allclose(same.apply(GRID), line.apply(GRID), atol=1e-12)
    generator = np.random.default_rng(1)
    score = generator.uniform(0.02, 0.98, 60_000)
    truth = BetaMap(a=0.5, b=1.5, c=0.3)
    label = (generator.random(60_000) < truth.apply(score)).astype(float)
    fitted = fit_beta(rows_of(score, label))
    assert (fitted.a, fitted.b, fitted.c) == pytest.approx((0.5, 1.5, 0.3), abs=0.06)


def test_scale_makes_the_sums_equal() -> None:
    fitted = fit_scale(rows_of([1.0, 3.0], [4.0, 2.0], [1.0, 3.0]))
    assert isinstance(fitted, ScaleMap)
    assert fitted.factor == pytest.approx((4 + 6) / (1 + 9))


@pytest.mark.parametrize("scores", [[0.0, 0.0], [-1.0, 0.5]])
def test_scale_leaves_alone_what_has_no_positive_sum(scores: list[float]) -> None:
    assert fit_scale(rows_of(scores, [1.0, 2.0])) == IdentityMap()


def test_histogram_interpolates_between_the_rates_of_its_bins() -> None:
    fitted = fit_histogram(rows_of([0.1, 0.3, 0.5, 0.7], [0, 1, 0, 1]), n_bins=2)
    assert fitted.knots.score == pytest.approx((0.2, 0.6))
    assert fitted.knots.value == pytest.approx((0.5, 0.5))
    falling = fit_histogram(rows_of([0.1, 0.2, 0.8, 0.9], [1, 1, 0, 1]), n_bins=2)
    assert falling.knots.value == pytest.approx((0.75, 0.75))


def test_chances_never_become_certain() -> None:
    fitted = fit_isotonic(rows_of([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]))
    assert fitted.apply(np.array([0.0, 1.0])) == pytest.approx([1 / 6, 5 / 6])


def test_platt_keeps_every_auc_exactly() -> None:
    rows = simulated(5_000, slope=0.6, shift=-0.8)
    mapped = fit_platt(rows).apply(rows.score)
    assert weighted_auc(mapped, rows.label) == weighted_auc(rows.score, rows.label)


def test_scores_that_point_the_wrong_way_keep_their_order_in_platt() -> None:
    rows = simulated(2_000, slope=-1.0, shift=0.0)
    assert (np.diff(fit_platt(rows).apply(np.linspace(0.01, 0.99, 50))) > 0).all()


@pytest.mark.parametrize("method", [name for name in CHANCE_FITS if name != "identity"])
def test_every_map_of_chances_repairs_what_can_be_repaired(method: Any) -> None:
    rows = simulated(20_000, slope=0.5, shift=0.0)
    fresh = simulated(20_000, slope=0.5, shift=0.0, seed=1)
    fitted = CHANCE_FITS[method](rows)

    def ece(score: np.ndarray) -> float:
        metric = ExpectedCalibrationError()
        metric.update(score, fresh.label)
        return metric.result()

    assert ece(fitted.apply(fresh.score)) < 0.25 * ece(fresh.score)


weights = st.integers(1, 5).map(float)
chance_rows = st.lists(
    st.tuples(st.floats(0, 1, width=32), st.sampled_from([0.0, 1.0]), weights), min_size=1
)
value_rows = st.lists(
    st.tuples(st.floats(0, 1e4, width=32), st.floats(0, 1e4, width=32), weights), min_size=1
)


def promised(fitted: Any, scores: np.ndarray) -> np.ndarray:
    """Check what every map promises and return the mapped scores."""
    ordered = np.sort(scores)
    mapped = fitted.apply(ordered)
    assert mapped.dtype == np.float64
    assert np.isfinite(mapped).all()
    assert (np.diff(mapped) >= 0.0).all()
    with_hole = np.append(ordered, np.nan)
    again = ADAPTER.validate_json(fitted.model_dump_json()).apply(with_hole)
    np.testing.assert_array_equal(again, np.append(mapped, np.nan))
    return mapped


@pytest.mark.parametrize("method", CHANCE_FITS)
@given(data=chance_rows)
def test_maps_of_chances_return_chances_in_order_and_survive_as_data(
    method: Any, data: list[tuple[float, float, float]]
) -> None:
    rows = rows_of(*zip(*data, strict=True))
    scores = np.concatenate([GRID, rows.score]).astype(np.float32)
    mapped = promised(CHANCE_FITS[method](rows), scores)
    assert ((mapped >= 0.0) & (mapped <= 1.0)).all()


@pytest.mark.parametrize("method", VALUE_FITS)
@given(data=value_rows)
def test_maps_of_values_keep_order_and_survive_as_data(
    method: Any, data: list[tuple[float, float, float]]
) -> None:
    rows = rows_of(*zip(*data, strict=True))
    mapped = promised(VALUE_FITS[method](rows), np.concatenate([1e4 * GRID, rows.score]))
    assert (mapped >= 0.0).all()


@pytest.mark.parametrize("method", [name for name in CHANCE_FITS if name != "identity"])
def test_a_weight_of_two_is_the_row_twice(method: Any) -> None:
    rows = simulated(300, slope=0.5, shift=0.5)
    weight = np.where(np.arange(300) % 3 == 0, 2.0, 1.0)
    twice = np.repeat(np.arange(300), weight.astype(int))
    weighted = CHANCE_FITS[method](rows_of(rows.score, rows.label, weight))
    repeated = CHANCE_FITS[method](rows_of(rows.score[twice], rows.label[twice]))
    np.testing.assert_allclose(weighted.apply(GRID), repeated.apply(GRID), atol=1e-6)


@pytest.mark.parametrize(
    ("score", "value", "rule"),
    [
        ((), (), "same length, at least 1"),
        ((0.1,), (0.1, 0.2), "same length, at least 1"),
        ((0.2, 0.1), (0.1, 0.2), "must rise"),
        ((0.1, 0.2), (0.2, 0.1), "must not fall"),
    ],
)
def test_knots_out_of_order_are_refused(
    score: tuple[float, ...], value: tuple[float, ...], rule: str
) -> None:
    with pytest.raises(ValidationError, match=rule):
        Knots(score=score, value=value)


@pytest.mark.parametrize("kind", [IsotonicMap, HistogramMap])
def test_outside_of_its_knots_a_polygon_is_flat(kind: Any) -> None:
    fitted = kind(knots=Knots(score=(0.2, 0.4), value=(0.1, 0.5)))
    np.testing.assert_allclose(fitted.apply(np.array([0.0, 0.3, 1.0])), [0.1, 0.3, 0.5])

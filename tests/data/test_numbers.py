"""Numbers as the model wants them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paretorank.data.numbers import FittedNumber, fit_number
from paretorank.schema import NumericFeature

ENCODINGS = ("standard", "log", "quantile", "piecewise_linear", "none")


def _fit(encoding: str, sample: np.ndarray, n_bins: int = 4) -> FittedNumber:
    config = NumericFeature.model_validate({"encoding": encoding, "n_bins": n_bins})
    return fit_number(config, np.asarray(sample, dtype=np.float64))


def _encode(fitted: FittedNumber, *values: float) -> list[float]:
    return fitted.transform(np.array(values, dtype=np.float64)).tolist()


def test_standard_by_hand() -> None:
    fitted = _fit("standard", np.array([1.0, 3.0]))  # mean 2, standard deviation 1
    assert _encode(fitted, 1, 2, 5) == [-1, 0, 3]


def test_log_by_hand() -> None:
    e = float(np.e)
    fitted = _fit("log", np.array([0.0, e**2 - 1]))  # logs 0 and 2
    assert _encode(fitted, 0, e - 1, e**2 - 1, 1 - e) == pytest.approx([-1, 0, 1, -2], abs=1e-6)


def test_none_is_the_number_itself() -> None:
    assert _encode(_fit("none", np.array([5.0, 9.0])), -3, 0, 1e6) == [-3, 0, 1e6]


def test_quantile_by_hand() -> None:
    fitted = _fit("quantile", np.arange(101.0))
    score_of_84_percent = 0.994457883
    assert _encode(fitted, 50, 84, 16) == pytest.approx(
        [0, score_of_84_percent, -score_of_84_percent], abs=1e-6
    )
    assert _encode(fitted, -1e9, 0, 100, 1e9) == [-3, -3, 3, 3]


def test_quantile_gives_a_frequent_value_the_middle_of_its_ranks() -> None:
    fitted = _fit("quantile", np.array([0.0] * 60 + [1.0] * 41))
    z_29_5_percent, z_80_percent = -0.538836002, 0.841621234  # ranks 0-59 and 60-100 of 0-100
    assert _encode(fitted, 0, 1) == pytest.approx([z_29_5_percent, z_80_percent], abs=1e-6)


def test_piecewise_linear_is_the_position_among_the_bins() -> None:
    fitted = _fit("piecewise_linear", np.arange(9.0))  # edges 0 2 4 6 8
    assert fitted.n_bins == 4
    assert _encode(fitted, 0, 1, 2, 7, 8) == [0, 0.5, 1, 3.5, 4]
    assert _encode(fitted, -100, 100) == [0, 4]


def test_piecewise_linear_merges_bins_without_width() -> None:
    fitted = _fit("piecewise_linear", np.array([0.0] * 50 + [1.0, 2.0] * 5))
    assert fitted.n_bins == len(fitted.knots) - 1
    assert all(a < b for a, b in zip(fitted.knots, fitted.knots[1:], strict=False))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_nan_and_infinity_are_missing(encoding: str) -> None:
    fitted = _fit(encoding, np.array([1.0, 2.0, np.nan, np.inf, -np.inf]))
    assert np.isfinite([*fitted.knots, *fitted.values]).all()
    encoded = fitted.transform(np.array([np.nan, np.inf, -np.inf, 1.5]))
    assert np.isnan(encoded).tolist() == [True, True, True, False]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("sample", [[7.0, 7.0, 7.0], [7.0], [np.nan, np.nan], []])
def test_columns_without_spread_stay_finite(encoding: str, sample: list[float]) -> None:
    fitted = _fit(encoding, np.array(sample))
    assert np.isfinite(_encode(fitted, -1e6, 0, 7, 1e6)).all()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_missing_stays_missing_in_a_constant_column(encoding: str) -> None:
    assert np.isnan(_encode(_fit(encoding, np.full(10, 7.0)), np.nan)).all()


@pytest.mark.parametrize("encoding", ["standard", "log", "quantile"])
def test_a_constant_column_becomes_zero(encoding: str) -> None:
    assert _encode(_fit(encoding, np.full(10, 7.0)), 7) == pytest.approx([0.0], abs=1e-6)


@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(max_examples=30)
@given(
    sample=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50),
    queries=st.lists(st.floats(-1e7, 1e7), min_size=2, max_size=20),
)
def test_every_encoding_keeps_the_order(
    encoding: str, sample: list[float], queries: list[float]
) -> None:
    encoded = _fit(encoding, np.array(sample)).transform(np.sort(queries))
    assert np.isfinite(encoded).all()
    assert (np.diff(encoded) >= 0).all()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_saved_number_encodes_the_same(encoding: str) -> None:
    fitted = _fit(encoding, np.random.default_rng(0).lognormal(size=1000))
    again = FittedNumber.model_validate_json(fitted.model_dump_json())
    assert again == fitted


def test_a_transform_does_not_change_its_argument() -> None:
    x = np.array([1.0, np.inf])
    _fit("standard", np.array([1.0, 3.0])).transform(x)
    assert x.tolist() == [1.0, np.inf]

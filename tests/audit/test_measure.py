import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from paretorank.audit.measure import auc, signal, signal_auc, signal_correlation

ALL = np.ones(4_000, dtype=bool)


def test_auc_of_four_rows_by_hand() -> None:
    score, label = np.array([1.0, 2.0, 2.0, 3.0]), np.array([0.0, 0.0, 1.0, 1.0])
    assert auc(score, label) == pytest.approx(3.5 / 4)


def test_auc_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    score, label = rng.integers(0, 20, 500) / 1.0, (rng.random(500) < 0.3).astype(float)
    assert auc(score, label) == pytest.approx(roc_auc_score(label, score))


def test_auc_of_one_class_is_undefined() -> None:
    assert np.isnan(auc(np.array([1.0, 2.0]), np.array([1.0, 1.0])))


def test_categories_seen_once_predict_nothing() -> None:
    rng = np.random.default_rng(1)
    label = (rng.random(4_000) < 0.3).astype(float)
    found = signal(pl.Series(range(4_000)), rng, as_category=True)
    assert signal_auc(found, label, ALL) == pytest.approx(0.5, abs=0.03)


def test_a_number_that_is_not_monotone_is_still_found() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=4_000)
    label = (np.abs(x) > 1).astype(float)
    assert signal_auc(signal(pl.Series(x), rng), label, ALL) > 0.95


def test_missing_values_that_tell_are_found() -> None:
    rng = np.random.default_rng(3)
    label = (rng.random(4_000) < 0.3).astype(float)
    x = pl.Series([None if one else 5.0 for one in label])
    assert signal_auc(signal(x, rng), label, ALL) > 0.99


def test_the_sign_of_a_correlation_does_not_matter() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=4_000)
    found = signal(pl.Series(-x), rng)
    assert signal_correlation(found, np.exp(x), ALL) == pytest.approx(1.0)

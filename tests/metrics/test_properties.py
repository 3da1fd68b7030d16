"""What holds for all rows: metrics equal scikit-learn or their formula, however rows are parted."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import log_loss, mean_absolute_error, mean_squared_error, roc_auc_score

from paretorank.metrics import METRICS, Metric

Column = np.ndarray
Formula = Callable[[Column, Column, Column], float]
N_BINS = 10
EPSILON = 1e-6  # above where either side clips scores of 0 and 1

# Halves, tenths and edges of bins make ties; 0 and 1 are scores as well.
PROBABILITIES = st.one_of(st.integers(0, 20).map(lambda k: k / 20), st.floats(0.0, 1.0))
WEIGHTS = st.one_of(st.sampled_from([0.0, 1.0, 2.0]), st.floats(0.01, 100.0))
BINARY = st.lists(st.tuples(PROBABILITIES, st.integers(0, 1), WEIGHTS), min_size=1, max_size=40)
AMOUNTS = st.one_of(st.integers(0, 5).map(float), st.floats(0.0, 1e4))
NUMERIC = st.lists(st.tuples(AMOUNTS, AMOUNTS, WEIGHTS), min_size=1, max_size=25)
PARTS = st.lists(st.integers(0, 40), max_size=4)
BINARY_NAMES = [name for name, metric in METRICS.items() if metric.needs_binary and name != "gauc"]
NUMERIC_NAMES = ["mae", "rmse", "xauc", "pcoc"]


def columns(rows: list[tuple[float, float, float]]) -> list[Column]:
    return [np.array(column, dtype=np.float64) for column in zip(*rows, strict=True)]


def of_rows(name: str, score: Column, label: Column, weight: Column) -> Metric:
    metric = METRICS[name]()
    metric.update(score, label, weight=weight)
    return metric


def auc(score: Column, label: Column, weight: Column) -> float:
    return float(roc_auc_score(label, score, sample_weight=weight))


def cross_entropy(score: Column, label: Column, weight: Column) -> float:
    return float(log_loss(label, score, sample_weight=weight, labels=[0, 1]))


def entropy_ratio(score: Column, label: Column, weight: Column) -> float:
    rate = float(np.average(label, weights=weight))
    entropy = -(rate * math.log(rate) + (1 - rate) * math.log(1 - rate))
    return cross_entropy(score, label, weight) / entropy


def calibration_error(score: Column, label: Column, weight: Column) -> float:
    """Sum over bins of the bin's share of the rows times its gap, by the definition."""
    total = 0.0
    for at in range(N_BINS):
        is_last = at == N_BINS - 1
        inside = [int(s * N_BINS) == at or (is_last and s == 1.0) for s in score.tolist()]
        w = weight[inside]
        if w.sum() > 0:
            gap = np.average(score[inside], weights=w) - np.average(label[inside], weights=w)
            total += w.sum() / weight.sum() * abs(gap)
    return float(total)


BINARY_FORMULAS: dict[str, Formula] = {
    "auc": auc,
    "log_loss": cross_entropy,
    "normalized_entropy": entropy_ratio,
    "ece": calibration_error,
}
NUMERIC_FORMULAS: dict[str, Formula] = {
    "mae": lambda s, y, w: float(mean_absolute_error(y, s, sample_weight=w)),
    "rmse": lambda s, y, w: float(mean_squared_error(y, s, sample_weight=w)) ** 0.5,
    "pcoc": lambda s, y, w: float((s @ w) / (y @ w)),
}


@pytest.mark.parametrize("name", BINARY_FORMULAS)
@given(rows=BINARY)
def test_metrics_of_probabilities_equal_their_reference(
    name: str, rows: list[tuple[float, float, float]]
) -> None:
    score, label, weight = columns(rows)
    counted = weight > 0
    assume(len(set(label[counted].tolist())) == 2)
    if name in {"log_loss", "normalized_entropy"}:  # libraries clip 0 and 1 at different places
        score = score.clip(EPSILON, 1 - EPSILON)
    expected = BINARY_FORMULAS[name](score[counted], label[counted], weight[counted])
    found = of_rows(name, score, label, weight)
    assert found.result() == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert found.reason() is None


@pytest.mark.parametrize("name", NUMERIC_FORMULAS)
@given(rows=NUMERIC)
def test_metrics_of_amounts_equal_their_reference(
    name: str, rows: list[tuple[float, float, float]]
) -> None:
    score, label, weight = columns(rows)
    assume(weight @ label > 1e-200)
    expected = NUMERIC_FORMULAS[name](score, label, weight)
    assert of_rows(name, score, label, weight).result() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", [*BINARY_NAMES, *NUMERIC_NAMES])
@given(data=st.data(), cuts=PARTS)
def test_merged_parts_give_what_all_rows_give(
    name: str, data: st.DataObject, cuts: list[int]
) -> None:
    rows = data.draw(BINARY if METRICS[name].needs_binary else NUMERIC)
    score, label, weight = columns(rows)
    whole = of_rows(name, score, label, weight)
    merged, *others = (
        of_rows(name, *part)
        for part in zip(*(np.split(c, sorted(cuts)) for c in (score, label, weight)), strict=True)
    )
    for other in others:
        merged.merge(other)
    assert merged.n_rows == whole.n_rows
    assert merged.result() == pytest.approx(whole.result(), rel=1e-9, abs=1e-12, nan_ok=True)
    assert (merged.reason() is None) == (whole.reason() is None)


@given(
    rows=st.lists(
        st.tuples(PROBABILITIES, st.integers(0, 1), WEIGHTS, st.integers(0, 3)), min_size=1
    ),
    cuts=PARTS,
)
def test_the_gauc_of_merged_parts_is_that_of_all_rows(
    rows: list[tuple[float, int, float, int]], cuts: list[int]
) -> None:
    score, label, weight, user = (np.array(column) for column in zip(*rows, strict=True))
    whole, merged = METRICS["gauc"](), METRICS["gauc"]()
    whole.update(score, label, weight=weight, group=user)
    parts = zip(*(np.split(c, sorted(cuts)) for c in (score, label, weight, user)), strict=True)
    for one, truth, times, who in parts:
        other = METRICS["gauc"]()
        other.update(one, truth, weight=times, group=who)
        merged.merge(other)
    assert merged.result() == pytest.approx(whole.result(), rel=1e-9, nan_ok=True)

"""Intervals cover the truth as often as they say, and know that rows of a user hang together."""

import math

import numpy as np
import pytest

from paretorank.evaluation import Interval, bootstrap_intervals
from paretorank.evaluation.intervals import resampling_counts
from paretorank.metrics import (
    AUC,
    METRICS,
    XAUC,
    EqualMassCalibrationError,
    GroupedAUC,
    Metric,
    Rows,
    metric_by_name,
    observed_rows,
)


def intervals(*metrics: Metric, rows: Rows, n_resamples: int = 100) -> list[Interval]:
    for metric in metrics:
        metric.update_rows(rows)
    return bootstrap_intervals(
        metrics,
        rows,
        n_resamples=n_resamples,
        confidence=0.95,
        generator=np.random.default_rng(0),
    )


def binary_rows(n_rows: int, generator: np.random.Generator, n_users: int | None = None) -> Rows:
    score = generator.random(n_rows)
    group = None if n_users is None else generator.integers(0, n_users, n_rows)
    return observed_rows(score, generator.random(n_rows) < score, group=group)


def drawn_rows(rows: Rows, counts: np.ndarray) -> Rows:
    """Repeat the rows as often as their users were drawn, each copy as a user of its own."""
    assert rows.group is not None
    copies = [np.flatnonzero(counts[rows.group] > copy) for copy in range(int(counts.max()))]
    at = np.concatenate(copies)
    group = np.concatenate([rows.group[part] + 1000 * i for i, part in enumerate(copies)])
    return Rows(rows.score[at], rows.label[at], rows.weight[at], group)


@pytest.mark.parametrize(
    "name", ["auc", "gauc", "log_loss", "normalized_entropy", "pcoc", "mae", "rmse"]
)
def test_an_interval_is_that_of_metrics_of_redrawn_logs(name: str) -> None:
    rows = binary_rows(300, np.random.default_rng(1), n_users=30)
    (interval,) = intervals(metric_by_name(name)(), rows=rows, n_resamples=50)
    values = []
    for counts in resampling_counts(30, 50, np.random.default_rng(0)):
        metric = metric_by_name(name)()
        metric.update_rows(drawn_rows(rows, counts))
        values.append(metric.result())
    expected = np.quantile(values, [0.025, 0.975])
    assert [interval.low, interval.high] == pytest.approx(expected.tolist(), rel=1e-9)


def test_the_linearised_interval_of_xauc_is_close_to_that_of_redrawn_logs() -> None:
    generator = np.random.default_rng(2)
    score, group = generator.normal(size=600), np.arange(600) % 150
    label = score + 2 * generator.normal(size=600) + generator.normal(size=150)[group]
    rows = observed_rows(score, label.round(1), group=group)
    (interval,) = intervals(XAUC(), rows=rows, n_resamples=300)
    values = []
    for counts in resampling_counts(150, 300, np.random.default_rng(0)):
        metric = XAUC()
        metric.update_rows(drawn_rows(rows, counts))
        values.append(metric.result())
    low, high = np.quantile(values, [0.025, 0.975])
    width = high - low
    assert interval.low == pytest.approx(low, abs=0.12 * width)
    assert interval.high == pytest.approx(high, abs=0.12 * width)


def test_intervals_cover_the_true_auc_about_as_often_as_they_say() -> None:
    # score uniform, label with chance score: the AUC of endless rows is 5/6
    generator = np.random.default_rng(3)
    covered = 0
    for _ in range(60):
        (interval,) = intervals(AUC(), rows=binary_rows(400, generator))
        covered += interval.low <= 5 / 6 <= interval.high
    assert covered >= 52  # 57 expected; fewer than 52 has a chance of 1 in 90


def test_intervals_cover_the_true_mean_when_users_differ() -> None:
    generator = np.random.default_rng(4)
    covered_by_user = covered_by_row = 0
    for _ in range(60):
        group = np.repeat(np.arange(60), 10)
        label = np.repeat(generator.exponential(size=60), 10) + 0.1 * generator.random(600) + 0.95
        score = np.full(600, 2.0)  # the true PCOC is 1
        rows, loose = observed_rows(score, label, group=group), observed_rows(score, label)
        (by_user,) = intervals(metric_by_name("pcoc")(), rows=rows)
        (by_row,) = intervals(metric_by_name("pcoc")(), rows=loose)
        covered_by_user += by_user.low <= 1.0 <= by_user.high
        covered_by_row += by_row.low <= 1.0 <= by_row.high
    assert covered_by_user >= 50
    assert covered_by_row < 40  # rows of a user pretend to be independent


@pytest.mark.parametrize("name", ["auc", "log_loss", "xauc", "ece"])
def test_identical_rows_of_a_user_widen_the_interval(name: str) -> None:
    rows = binary_rows(200, np.random.default_rng(5))
    score, label = np.repeat(rows.score, 9), np.repeat(rows.label, 9)
    user = np.repeat(np.arange(200), 9)
    (by_row,) = intervals(metric_by_name(name)(), rows=observed_rows(score, label))
    (by_user,) = intervals(metric_by_name(name)(), rows=observed_rows(score, label, group=user))
    assert by_user.high - by_user.low > 2.0 * (by_row.high - by_row.low)  # in theory 3 times


def test_many_clusters_are_drawn_in_parts_with_the_same_outcome(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = binary_rows(100, np.random.default_rng(6))
    whole = intervals(AUC(), rows=rows)
    monkeypatch.setattr("paretorank.evaluation.intervals._CHUNK_CELLS", 700)
    assert intervals(AUC(), rows=rows) == whole


def test_as_many_clusters_are_drawn_as_there_are() -> None:
    counts = resampling_counts(50, 20, np.random.default_rng(7))
    assert set(counts.sum(axis=1)) == {50.0}


def test_a_single_user_says_nothing_about_other_users() -> None:
    rows = observed_rows(np.array([0.1, 0.9]), np.array([0, 1]), group=np.array([4, 4]))
    for interval in intervals(AUC(), GroupedAUC(), rows=rows):
        assert math.isnan(interval.low)
        assert math.isnan(interval.high)


def test_a_metric_that_cannot_be_resampled_has_no_interval() -> None:
    rows = binary_rows(50, np.random.default_rng(8))
    (interval,) = intervals(EqualMassCalibrationError(), rows=rows)
    assert math.isnan(interval.low)


def test_every_other_metric_has_an_interval() -> None:
    rows = binary_rows(200, np.random.default_rng(9), n_users=20)
    metrics = [metric() for name, metric in METRICS.items() if name != "ece_equal_mass"]
    assert all(interval.low < interval.high for interval in intervals(*metrics, rows=rows))


@pytest.mark.parametrize("confidence", [0.0, 1.0, math.nan])
def test_an_impossible_confidence_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match="`confidence` must be between 0 and 1"):
        bootstrap_intervals(
            [],
            binary_rows(5, np.random.default_rng(0)),
            n_resamples=1,
            confidence=confidence,
            generator=np.random.default_rng(0),
        )


def test_a_negative_number_of_resamples_is_refused() -> None:
    with pytest.raises(ValueError, match="`n_resamples` must be at least 0, got -1"):
        intervals(AUC(), rows=binary_rows(5, np.random.default_rng(0)), n_resamples=-1)

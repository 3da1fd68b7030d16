"""What all metrics have in common: masks, weights, merging, reasons, refusals."""

import math

import numpy as np
import pytest

from paretorank.foundation.errors import ConfigError
from paretorank.metrics import (
    AUC,
    METRICS,
    METRICS_BY_KIND,
    XAUC,
    ExpectedCalibrationError,
    GroupedAUC,
    LogLoss,
    Metric,
    metric_by_name,
    observed_rows,
    primary_metric,
)

N_ROWS = 400
every_metric = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)


class Columns:
    """Random rows that every metric accepts: labels of both classes, tied scores, few users."""

    def __init__(self, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        self.score = generator.integers(0, 17, N_ROWS) / 16  # exact in float32 too
        self.label = (generator.random(N_ROWS) < self.score).astype(np.float32)
        self.weight = generator.integers(0, 4, N_ROWS).astype(np.float64)
        self.group = generator.integers(0, 30, N_ROWS)

    def fed(self, metric: Metric, rows: slice | np.ndarray = slice(None)) -> Metric:
        metric.update(
            self.score[rows], self.label[rows], weight=self.weight[rows], group=self.group[rows]
        )
        return metric


@every_metric
def test_batches_give_what_one_pass_gives(metric: type[Metric]) -> None:
    columns, batched = Columns(), metric()
    for start in range(0, N_ROWS, 37):
        columns.fed(batched, slice(start, start + 37))
    assert batched.result() == pytest.approx(columns.fed(metric()).result(), rel=1e-12)


@every_metric
def test_merged_readers_give_what_one_pass_gives(metric: type[Metric]) -> None:
    columns = Columns()
    merged = columns.fed(metric(), slice(0, 150))
    merged.merge(columns.fed(metric(), slice(150, None)))
    merged.merge(metric())
    assert merged.result() == pytest.approx(columns.fed(metric()).result(), rel=1e-12)
    assert merged.n_rows == columns.fed(metric()).n_rows


@every_metric
def test_merging_leaves_the_other_reader_as_it_was(metric: type[Metric]) -> None:
    columns = Columns()
    other = columns.fed(metric(), slice(150, None))
    before = other.result()
    columns.fed(metric(), slice(0, 150)).merge(other)
    assert other.result() == before


@every_metric
def test_asking_twice_and_going_on_changes_nothing(metric: type[Metric]) -> None:
    columns = Columns()
    asked = columns.fed(metric(), slice(0, 100))
    asked.result()
    columns.fed(asked, slice(100, None))
    assert asked.result() == pytest.approx(columns.fed(metric()).result(), rel=1e-12)


@every_metric
def test_rows_that_are_not_observed_do_not_exist(metric: type[Metric]) -> None:
    columns = Columns()
    hidden = np.random.default_rng(1).random(N_ROWS) < 0.5
    expected = columns.fed(metric(), ~hidden).result()
    columns.label[hidden] = np.nan
    columns.score[hidden] = np.nan  # nobody need score them either
    assert columns.fed(metric()).result() == pytest.approx(expected, rel=1e-12)


@every_metric
def test_a_weight_of_two_is_the_row_twice_and_of_zero_no_row(metric: type[Metric]) -> None:
    columns, repeated = Columns(), metric()
    for copy in range(3):
        rows = columns.weight > copy
        repeated.update(columns.score[rows], columns.label[rows], group=columns.group[rows])
    assert columns.fed(metric()).result() == pytest.approx(repeated.result(), rel=1e-12)


@every_metric
def test_the_order_of_rows_does_not_matter(metric: type[Metric]) -> None:
    columns = Columns()
    shuffled = np.random.default_rng(2).permutation(N_ROWS)
    expected = columns.fed(metric()).result()
    assert columns.fed(metric(), shuffled).result() == pytest.approx(expected, rel=1e-12)


@every_metric
def test_no_observed_rows_give_nan_and_say_so(metric: type[Metric]) -> None:
    empty = metric()
    empty.update(np.array([0.5, 0.2]), np.full(2, np.nan), group=np.array([1, 2]))
    assert math.isnan(empty.result())
    assert empty.reason() == "no observed rows"
    assert math.isnan(metric().result())


@every_metric
def test_a_defined_result_has_no_reason(metric: type[Metric]) -> None:
    assert Columns().fed(metric()).reason() is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("auc", "one class only"),
        ("gauc", "no user has both classes"),
        ("normalized_entropy", "one class only"),
        ("xauc", "all labels are equal"),
        ("pcoc", "mean label is not positive"),
    ],
)
@pytest.mark.parametrize("weight", [1.0, 0.1])
def test_what_one_class_leaves_undefined_is_nan_with_a_reason(
    name: str, reason: str, weight: float
) -> None:
    metric = metric_by_name(name)()
    score = np.linspace(0.1, 0.7, 7)
    metric.update(score, np.zeros(7), group=np.ones(7, dtype=int), weight=np.full(7, weight))
    assert math.isnan(metric.result())
    assert metric.reason() == reason


@every_metric
def test_float32_scores_and_boolean_labels_are_accepted(metric: type[Metric]) -> None:
    columns, plain, narrow = Columns(), metric(), metric()
    plain.update(columns.score, columns.label, group=columns.group)
    narrow.update(columns.score.astype(np.float32), columns.label == 1, group=columns.group)
    assert narrow.result() == pytest.approx(plain.result(), rel=1e-6)


@every_metric
def test_higher_goodness_is_nearer_to_the_best(metric: type[Metric]) -> None:
    assert metric.goodness(metric.best) > metric.goodness(metric.best - 0.1)
    if not metric.higher_is_better:
        assert metric.goodness(metric.best) > metric.goodness(metric.best + 0.1)


def test_gauc_without_users_says_what_is_missing() -> None:
    metric = GroupedAUC()
    metric.update(np.array([0.1, 0.9]), np.array([0, 1]))
    assert math.isnan(metric.result())
    assert metric.reason() == "no users given"


def test_users_must_be_given_always_or_never() -> None:
    metric = GroupedAUC()
    metric.update(np.array([0.1, 0.9]), np.array([0, 1]))
    metric.update(np.array([0.1, 0.9]), np.array([0, 1]), group=np.array([1, 1]))
    with pytest.raises(ValueError, match="in every update or in none"):
        metric.result()


def test_saturated_scores_have_a_finite_log_loss() -> None:
    metric = LogLoss()
    metric.update(np.array([0.0, 1.0], dtype=np.float32), np.array([1, 0]))
    assert metric.result() == pytest.approx(-math.log(1e-7), rel=1e-6)


def test_the_first_metric_of_a_kind_is_its_primary_one() -> None:
    assert {kind: primary_metric(kind).name for kind in METRICS_BY_KIND} == {
        "binary": "auc",
        "regression": "mae",
        "duration": "xauc",
        "count": "xauc",
        "ordinal": "xauc",
    }


def test_only_metrics_of_binary_tasks_insist_on_zero_or_one() -> None:
    assert not any(metric.needs_binary for metric in METRICS_BY_KIND["duration"])


def test_a_misspelt_metric_is_named_with_a_suggestion() -> None:
    with pytest.raises(ConfigError, match="'gacu'") as caught:
        metric_by_name("gacu")
    assert caught.value.hint == "Did you mean 'gauc'?"


def test_labels_that_are_not_binary_are_refused_where_it_matters() -> None:
    with pytest.raises(ValueError, match=r"`label` must be 0 or 1 for auc, got 0\.5"):
        AUC().update(np.array([0.1, 0.9]), np.array([0.5, 1.0]))


@pytest.mark.parametrize("metric", [LogLoss, ExpectedCalibrationError])
def test_scores_that_are_no_probabilities_are_refused_where_it_matters(
    metric: type[Metric],
) -> None:
    with pytest.raises(ValueError, match=r"`score` must be between 0 and 1, got 1\.5"):
        metric().update(np.array([0.1, 1.5]), np.array([0, 1]))


def test_a_score_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="`score` must be finite, got nan"):
        XAUC().update(np.array([0.1, np.nan]), np.array([0, 1]))


def test_columns_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`label` must have shape \(2,\)"):
        observed_rows(np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match=r"`group` must have shape \(2,\)"):
        observed_rows(np.zeros(2), np.zeros(2), group=np.zeros((2, 1)))


@pytest.mark.parametrize("weight", [-1.0, math.nan])
def test_impossible_weights_are_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="`weight` must be at least 0"):
        observed_rows(np.zeros(2), np.zeros(2), weight=np.array([1.0, weight]))


def test_metrics_of_different_kinds_do_not_merge() -> None:
    with pytest.raises(ValueError, match="`other` must be a AUC, got XAUC"):
        AUC().merge(XAUC())
    with pytest.raises(ValueError, match="configured as this ece"):
        ExpectedCalibrationError(n_bins=5).merge(ExpectedCalibrationError(n_bins=10))


def test_bins_must_exist() -> None:
    with pytest.raises(ValueError, match="`n_bins` must be at least 1, got 0"):
        ExpectedCalibrationError(n_bins=0)

"""The table holds every metric of every task, space and segment, and nothing leaks between them."""

import json
import math

import numpy as np
import polars as pl
import pytest

from paretorank.evaluation import EvaluationResult, ScoredRows, evaluate_rows
from paretorank.foundation.errors import DataError
from paretorank.metrics import weighted_auc
from paretorank.schema import LabelSpec

N_ROWS = 600
LABELS = (
    LabelSpec(name="click", column="is_click", kind="binary"),
    LabelSpec(name="like", column="is_like", kind="binary", parent="click", observed_when="click"),
    LabelSpec(name="watch", column="watch_ms", kind="duration"),
)


def log(seed: int = 0, *, with_users: bool = True) -> ScoredRows:
    generator = np.random.default_rng(seed)
    scores = generator.random((N_ROWS, 3))
    truth = (generator.random((N_ROWS, 3)) < scores).astype(np.float32)
    truth[:, 2] = generator.exponential(scores[:, 2])
    truth[truth[:, 0] == 0, 1] = np.nan
    return ScoredRows(
        LABELS,
        scores.astype(np.float32),
        truth,
        user=generator.integers(0, 40, N_ROWS) if with_users else None,
    )


def same(left: pl.DataFrame, right: pl.DataFrame) -> bool:
    return left.equals(right, null_equal=True)


def test_each_kind_of_task_gets_its_metrics_primary_first() -> None:
    table = evaluate_rows(log(), n_resamples=0).table
    metrics = {task: lines["metric"].to_list() for (task,), lines in table.group_by("task")}
    assert metrics["click"] == [
        "auc",
        "gauc",
        "log_loss",
        "normalized_entropy",
        "pcoc",
        "ece",
    ]
    assert metrics["watch"] == ["xauc", "mae", "rmse", "pcoc"]
    assert len(metrics["like"]) == 12  # two sample spaces


def test_scores_that_are_no_means_get_no_ratio_of_means() -> None:
    rows = log()
    labels = (*LABELS[:2], LABELS[2].model_copy(update={"scores_mean": False}))
    rows = ScoredRows(labels, rows.scores, rows.truth)
    table = evaluate_rows(rows, n_resamples=0).table
    metrics = {task: lines["metric"].to_list() for (task,), lines in table.group_by("task")}
    assert metrics["watch"] == ["xauc", "mae", "rmse"]
    assert "pcoc" in metrics["click"]


def test_counts_are_those_of_the_sample_space() -> None:
    rows = log()
    lines = evaluate_rows(rows, n_resamples=0).table.unique(
        ["task", "space"], keep="first", maintain_order=True
    )
    n_clicks = int(rows.truth[:, 0].sum())
    n_likes = int(np.nansum(rows.truth[:, 1]))
    assert lines["n_rows"].to_list() == [N_ROWS, n_clicks, N_ROWS, N_ROWS]
    assert lines["n_positive"].to_list() == [n_clicks, n_likes, n_likes, None]
    assert rows.user is not None
    n_clickers = len(np.unique(rows.user[rows.truth[:, 0] == 1]))
    assert lines["n_users"].to_list() == [40, n_clickers, 40, 40]


def test_values_are_those_of_the_metrics_on_the_rows_of_the_space() -> None:
    rows = log()
    result = evaluate_rows(rows, n_resamples=0)
    clicked = rows.truth[:, 0] == 1
    own = weighted_auc(rows.scores[clicked, 1], rows.truth[clicked, 1])
    joint = weighted_auc(
        rows.scores[:, 0].astype(np.float64) * rows.scores[:, 1], np.nan_to_num(rows.truth[:, 1])
    )
    assert result.value("like", "auc") == own
    assert result.value("like", "auc", space="impressions (click and like)") == joint


def test_gauc_says_what_it_leaves_out() -> None:
    rows = log()
    assert rows.user is not None
    rows.truth[rows.user < 3, 0] = 0.0  # the first three users never click
    note = evaluate_rows(rows, n_resamples=0).table.filter(metric="gauc")["note"][0]
    n_kept = sum(len(set(rows.truth[rows.user == user, 0])) > 1 for user in range(40))
    assert n_kept <= 37
    assert note == f"{n_kept} of 40 users kept, weighted by impressions"


def test_segments_are_evaluated_like_separate_logs() -> None:
    rows = log()
    tab = np.arange(N_ROWS) % 3
    result = evaluate_rows(rows, segments={"tab": tab}, n_resamples=0)
    part = ScoredRows(LABELS, rows.scores[tab == 1], rows.truth[tab == 1])
    alone = evaluate_rows(part, n_resamples=0)
    for task, metric in (("click", "auc"), ("watch", "xauc"), ("like", "ece")):
        assert result.value(task, metric, segment="tab=1") == alone.value(task, metric)
    assert result.table["segment"].unique(maintain_order=True).to_list() == [
        "all",
        "tab=0",
        "tab=1",
        "tab=2",
    ]


@pytest.mark.parametrize(
    "column",
    [
        np.array(["a", None, "b"] * 200, dtype=object),
        np.array([1.0, np.nan, 2.5] * 200),
    ],
    ids=["text", "number"],
)
def test_rows_without_a_segment_form_one_of_their_own(column: np.ndarray) -> None:
    table = evaluate_rows(log(), segments={"tab": column}, n_resamples=0).table
    lines = table.filter(task="click", metric="auc")
    names = ["all", "tab=a", "tab=b", "tab=missing"]
    if column.dtype.kind == "f":
        names = ["all", "tab=1", "tab=2.5", "tab=missing"]
    assert lines["segment"].to_list() == names
    assert lines["n_rows"].to_list() == [600, 200, 200, 200]


def test_boolean_segments_are_accepted() -> None:
    column = np.arange(N_ROWS) < 100
    table = evaluate_rows(log(), segments={"new": column}, n_resamples=0).table
    assert table.filter(task="click", metric="auc")["segment"].to_list() == [
        "all",
        "new=False",
        "new=True",
    ]


def test_a_task_without_observed_rows_is_nan_with_a_reason_and_leaves_the_others_alone() -> None:
    rows, expected = log(), evaluate_rows(log(), n_resamples=20).table
    rows.truth[:, 2] = np.nan
    table = evaluate_rows(rows, n_resamples=20).table
    lost = table.filter(task="watch")
    assert lost["value"].is_nan().all()
    assert set(lost["note"]) == {"no observed rows"}
    assert set(lost["n_rows"]) == {0}
    others = pl.col("task") != "watch"
    assert same(table.filter(others), expected.filter(others))


def test_a_label_missing_on_most_rows_changes_nothing_for_the_other_tasks() -> None:
    rows, expected = log(), evaluate_rows(log(), n_resamples=0).table
    rows.truth[np.random.default_rng(1).random(N_ROWS) < 0.9, 1] = np.nan
    others = pl.col("task") != "like"
    table = evaluate_rows(rows, n_resamples=0).table
    assert same(table.filter(others), expected.filter(others))
    assert table.filter(task="like", metric="auc")["value"].is_finite().all()


def test_one_class_is_nan_and_has_no_interval() -> None:
    rows = log()
    rows.truth[:, 0] = 1.0
    lines = evaluate_rows(rows, n_resamples=20).table.filter(task="click", metric="auc")
    assert lines.select(pl.col("value", "low", "high").is_nan()).row(0) == (True, True, True)
    assert lines["note"][0] == "one class only"


def test_without_users_gauc_is_nan_and_says_so() -> None:
    lines = evaluate_rows(log(with_users=False), n_resamples=0).table.filter(task="click")
    assert lines["n_users"].null_count() == 6
    assert lines.filter(metric="gauc")["note"][0] == "no users given"


def test_no_resamples_give_no_intervals() -> None:
    table = evaluate_rows(log(), n_resamples=0).table
    assert table["low"].is_nan().all()
    assert table["high"].is_nan().all()


@pytest.mark.parametrize("with_users", [True, False])
def test_intervals_hold_the_value(with_users: bool) -> None:
    table = evaluate_rows(log(with_users=with_users), n_resamples=100).table
    defined = table.filter(pl.col("value").is_finite())
    assert (defined["low"] < defined["value"]).all()
    assert (defined["value"] < defined["high"]).all()


def test_the_same_seed_gives_the_same_table_whatever_else_is_evaluated() -> None:
    table = evaluate_rows(log(), n_resamples=20, seed=3).table
    assert same(table, evaluate_rows(log(), n_resamples=20, seed=3).table)
    segmented = evaluate_rows(
        log(), n_resamples=20, seed=3, segments={"half": np.arange(N_ROWS) % 2}
    ).table
    assert same(table, segmented.filter(segment="all"))
    assert not same(table, evaluate_rows(log(), n_resamples=20, seed=4).table)


def test_zero_weight_is_as_if_the_row_were_not_there() -> None:
    rows = log()
    weight = (np.arange(N_ROWS) < 300).astype(np.float64)
    weighted = ScoredRows(LABELS, rows.scores, rows.truth, weight=weight)
    half = ScoredRows(LABELS, rows.scores[:300], rows.truth[:300])
    assert same(
        evaluate_rows(weighted, n_resamples=0).table, evaluate_rows(half, n_resamples=0).table
    )


def test_a_result_survives_json() -> None:
    rows = log()
    rows.truth[:, 2] = np.nan
    result = evaluate_rows(rows, n_resamples=5)
    text = json.dumps(result.to_json(), allow_nan=False)
    assert same(EvaluationResult.from_json(json.loads(text)).table, result.table)


def test_the_primary_metric_of_each_task_comes_from_its_own_space() -> None:
    result = evaluate_rows(log(), n_resamples=0)
    assert result.primary() == {
        "click": result.value("click", "auc"),
        "like": result.value("like", "auc", space="rows where click = 1"),
        "watch": result.value("watch", "xauc"),
    }
    assert result.tasks() == ["click", "like", "watch"]


def test_an_unknown_name_is_answered_with_the_closest_one() -> None:
    result = evaluate_rows(log(), n_resamples=0)
    with pytest.raises(ValueError, match="must be in the table, got 'clik'"):
        result.value("clik", "auc")
    with pytest.raises(ValueError, match="`metric` must be in the table, got 'auk'"):
        result.value("click", "auk")


def test_a_segment_column_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`segments\['tab'\]` must have shape \(600,\)"):
        evaluate_rows(log(), segments={"tab": np.zeros(5)}, n_resamples=0)


def test_a_segment_column_with_too_many_values_is_refused() -> None:
    with pytest.raises(DataError, match=r"at most 200 values, got 600 \(row\)"):
        evaluate_rows(log(), segments={"row": np.arange(N_ROWS)}, n_resamples=0)


def test_no_rows_at_all_give_a_table_of_reasons() -> None:
    empty = np.empty((0, 3), dtype=np.float32)
    table = evaluate_rows(ScoredRows(LABELS, empty, empty), n_resamples=10).table
    assert all(math.isnan(value) for value in table["value"])
    assert set(table["note"]) == {"no observed rows"}


def test_printing_a_result_elides_nothing() -> None:
    record = {
        "task": "click",
        "space": "impressions",
        "segment": "all",
        "metric": "auc",
        "value": 0.75123,
        "low": 0.7,
        "high": 0.8,
        "n_rows": 10,
    }
    text = str(EvaluationResult.from_records([record] * 30))
    assert text.count("0.7512") == 30
    assert "…" not in text

"""Metrics of a finished run on splits, new rows and segments."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from paretorank.foundation.errors import DataError, RunError
from paretorank.workflows.evaluate import evaluate_run
from paretorank.workflows.ingest import Prepared
from paretorank.workflows.run_folder import RunFolder
from paretorank.workflows.train import TrainedRun


@pytest.fixture
def log(trained: TrainedRun) -> pl.DataFrame:
    return pl.read_parquet(str(trained.folder.read_config().data.log))


def test_each_split_has_its_own_rows(trained: TrainedRun, prepared: Prepared) -> None:
    for split in ("valid", "test"):
        result = evaluate_run(trained.folder, split=split, n_resamples=0)
        everything = result.table.filter(pl.col("task") == "click")
        assert everything["n_rows"].to_list() == [len(prepared.split(split))] * len(everything)


def test_metrics_by_a_column_are_those_of_its_rows_alone(
    trained: TrainedRun, log: pl.DataFrame, prepared: Prepared
) -> None:
    result = evaluate_run(trained.folder, by="tab", n_resamples=0)
    test = prepared.split("test")
    rows = log[test.read(0, len(test)).row]
    counts = dict(rows["tab"].cast(pl.String).value_counts().iter_rows())
    tab = max(counts, key=lambda name: counts[name])
    segment = f"tab={tab}"
    names = result.table["segment"].unique().to_list()
    assert "all" in names
    assert segment in names, names
    alone = evaluate_run(
        trained.folder, rows=rows.filter(pl.col("tab").cast(pl.String) == tab).lazy(), n_resamples=0
    )
    for metric in ("auc", "log_loss"):
        expected = pytest.approx(alone.value("click", metric), rel=1e-5)
        assert result.value("click", metric, segment=segment) == expected


def test_segments_of_numbers_come_in_the_order_of_the_numbers(
    trained: TrainedRun, log: pl.DataFrame
) -> None:
    rows = log.tail(600).with_columns(size=pl.lit([2, 10, 100] * 200).explode())
    result = evaluate_run(trained.folder, rows=rows.lazy(), by="size", n_resamples=0)
    clicks = result.table.filter(pl.col("task") == "click")["segment"]
    assert clicks.unique(maintain_order=True).to_list() == ["all", "size=2", "size=10", "size=100"]


def test_segments_may_be_text(trained: TrainedRun, log: pl.DataFrame) -> None:
    rows = log.tail(600).with_columns(name=pl.lit(["a", None, "b"] * 200).explode())
    result = evaluate_run(trained.folder, rows=rows.lazy(), by="name", n_resamples=0)
    found = set(result.table["segment"].unique())
    assert found == {"all", "name=a", "name=b", "name=missing"}


def test_a_segment_column_that_does_not_exist_is_named(trained: TrainedRun) -> None:
    with pytest.raises(DataError, match=r"--by asks for the column 'tabb'") as error:
        evaluate_run(trained.folder, by="tabb")
    assert error.value.hint == "Did you mean 'tab'?"


def test_a_segment_may_have_nulls(trained: TrainedRun, log: pl.DataFrame) -> None:
    rows = log.tail(400).with_columns(
        pl.when(pl.col("position") > 2).then(pl.col("tab")).alias("tab")
    )
    result = evaluate_run(trained.folder, rows=rows.lazy(), by="tab", n_resamples=0)
    segments = result.table["segment"].unique().to_list()
    assert "tab=missing" in segments
    n_missing = rows["tab"].null_count()
    of_missing = result.table.filter(pl.col("segment") == "tab=missing", pl.col("task") == "click")
    assert set(of_missing["n_rows"]) == {n_missing}


def test_new_rows_are_evaluated_whatever_the_split_says(
    trained: TrainedRun, log: pl.DataFrame
) -> None:
    result = evaluate_run(trained.folder, rows=log.head(100).lazy(), n_resamples=0)
    assert result.table.filter(pl.col("task") == "click")["n_rows"].max() == 100


def test_new_rows_need_their_labels(trained: TrainedRun, log: pl.DataFrame) -> None:
    with pytest.raises(DataError, match=r"tasks\.like\.label asks for the column 'is_like'"):
        evaluate_run(trained.folder, rows=log.drop("is_like").lazy())


def test_a_task_with_a_sample_space_has_both_views(trained: TrainedRun) -> None:
    spaces = trained.result.table.filter(pl.col("task") == "like")["space"].unique(
        maintain_order=True
    )
    assert spaces.to_list() == ["rows where click = 1", "impressions (click and like)"]


def test_intervals_hold_their_value_and_can_be_left_out(trained: TrainedRun) -> None:
    aucs = trained.result.table.filter(pl.col("task") == "click", pl.col("metric") == "auc")
    assert (aucs["low"] <= aucs["value"]).all()
    assert (aucs["value"] <= aucs["high"]).all()
    without = evaluate_run(trained.folder, n_resamples=0).table
    assert without["low"].is_nan().all()


def test_a_split_without_rows_is_refused(trained: TrainedRun, log: pl.DataFrame) -> None:
    with pytest.raises(DataError, match="has no row"):
        evaluate_run(trained.folder, rows=log.clear().lazy())


def test_the_test_rows_of_another_log_are_refused(trained: TrainedRun, tmp_path: Path) -> None:
    """The splits would be others, and training rows might count as test rows."""
    moved = tmp_path / "run"
    shutil.copytree(trained.folder.path, moved)
    facts = json.loads((moved / "environment.json").read_text())
    (moved / "environment.json").write_text(json.dumps({**facts, "log": "of yesterday"}))
    with pytest.raises(RunError, match="not as it was") as refusal:
        evaluate_run(RunFolder(moved))
    assert "--data" in refusal.value.hint

"""Runs are compared on the same rows of their log, or not at all."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from paretorank.evaluation import ScoredRows
from paretorank.foundation.errors import ConfigError, DataError, RunError
from paretorank.schema import LabelSpec
from paretorank.workflows.calibrate import calibrate_run
from paretorank.workflows.calibration_fit import CalibrationWish
from paretorank.workflows.compare import CompareRequest, aligned, compare_runs
from paretorank.workflows.evaluate import evaluate_run
from paretorank.workflows.front import FrontOptions
from paretorank.workflows.front_points import front_of
from paretorank.workflows.run_folder import RunFolder
from paretorank.workflows.train import TrainedRun

QUICK = CompareRequest(n_resamples=20)
CLICK = LabelSpec(name="click", kind="binary", column="click")


def test_a_run_is_as_good_as_its_copy(trained: TrainedRun, tmp_path: Path) -> None:
    copy = RunFolder(Path(shutil.copytree(trained.folder.path, tmp_path / "copy")))
    result = compare_runs([trained.folder, copy], QUICK)
    assert (result.baseline, result.runs, result.passed) == ("shared", ("copy",), True)
    assert {d.gain.value for d in result.differences} == {0.0}


def test_the_values_are_those_of_the_evaluation(trained: TrainedRun) -> None:
    result = compare_runs([trained.folder, trained.folder], QUICK)
    assert result.runs == ("shared (2)",)
    known = evaluate_run(trained.folder, n_resamples=0).table
    assert [d.metric for d in result.differences] == known["metric"].to_list()
    np.testing.assert_array_equal([d.value for d in result.differences], known["value"])
    assert [d.n_rows for d in result.differences] == known["n_rows"].to_list()


def test_new_rows_can_be_named(trained: TrainedRun) -> None:
    log = pl.read_parquet(str(trained.folder.read_config().data.log)).tail(200)
    request = CompareRequest(rows=log.lazy(), n_resamples=20)
    result = compare_runs([trained.folder, trained.folder], request)
    assert result.n_rows == 200


def test_scores_are_compared_as_they_are_served(trained: TrainedRun, tmp_path: Path) -> None:
    run = RunFolder(Path(shutil.copytree(trained.folder.path, tmp_path / "run")))
    calibrate_run(run, CalibrationWish(method="platt"))
    served = compare_runs([trained.folder, run], QUICK)
    assert served.calibrated == ("run",)
    known = evaluate_run(run, n_resamples=0).table
    np.testing.assert_array_equal([d.value for d in served.differences], known["value"])
    gains = {d.name: d.gain.value for d in served.differences}
    assert gains["click.log_loss"] != 0.0
    assert gains["click.auc"] == 0.0  # Platt's map keeps the order
    raw = compare_runs([trained.folder, run], replace(QUICK, is_raw=True))
    assert raw.calibrated == ()
    assert {d.gain.value for d in raw.differences} == {0.0}
    assert raw.to_json()["calibrated"] == []


def test_runs_that_make_up_for_dropped_rows_differently_are_refused(
    trained: TrainedRun, tmp_path: Path
) -> None:
    run = RunFolder(Path(shutil.copytree(trained.folder.path, tmp_path / "run")))
    calibrate_run(run, CalibrationWish(method="identity", keep_rates={"click": 0.5}))
    with pytest.raises(RunError, match="shared and run were calibrated with different keep") as no:
        compare_runs([trained.folder, run], QUICK)
    assert "--raw" in no.value.hint
    assert compare_runs([trained.folder, run], replace(QUICK, is_raw=True)).passed
    with pytest.raises(RunError, match="other weights of rows"):
        front_of([trained.folder.path, run.path], FrontOptions(n_resamples=0), split="test")


def test_one_run_alone_is_refused(trained: TrainedRun) -> None:
    with pytest.raises(ConfigError, match="needs two runs, got 1") as error:
        compare_runs([trained.folder], QUICK)
    assert "--twins" in error.value.hint


def test_runs_of_other_logs_are_refused_without_rows_to_compare_on(
    trained: TrainedRun, tmp_path: Path
) -> None:
    copy = RunFolder(Path(shutil.copytree(trained.folder.path, tmp_path / "copy")))
    text = copy.config_path.read_text()
    copy.config_path.write_text(text.replace("log.parquet", "other.parquet"))
    with pytest.raises(RunError, match=r"copy was trained on another log than .+shared: .+other"):
        compare_runs([trained.folder, copy], QUICK)


def rows(numbers: list[int]) -> ScoredRows:
    scores = np.array(numbers, dtype=np.float64)[:, None] / 100
    return ScoredRows((CLICK,), scores, np.ones((len(numbers), 1)), None, np.array(numbers) + 7)


def align(
    a: list[int], b: list[int], request: CompareRequest = QUICK
) -> tuple[list[float], list[float]]:
    numbers = {"a": np.array(a), "b": np.array(b)}
    result = aligned(numbers, {"a": rows(a), "b": rows(b)}, request)
    assert result["a"].user is not None
    np.testing.assert_allclose(result["a"].user, 100 * result["a"].scores[:, 0] + 7)
    return tuple(result[name].scores[:, 0].tolist() for name in "ab")  # type: ignore[return-value]


def test_the_same_rows_may_come_in_any_order() -> None:
    assert align([3, 1, 2], [1, 2, 3]) == ([0.01, 0.02, 0.03], [0.01, 0.02, 0.03])


@pytest.mark.parametrize(
    ("a", "b", "problem"),
    [
        ([1, 2, 5], [1, 2], "1 of the 3 rows of a are not rows of b, first row 5"),
        ([1, 2], [1, 2, 8, 9], "2 of the 4 rows of b are not rows of a, first row 8"),
    ],
)
def test_other_rows_are_counted_and_refused(a: list[int], b: list[int], problem: str) -> None:
    with pytest.raises(DataError, match=problem) as error:
        align(a, b)
    assert "--common-rows" in error.value.hint


def test_rows_in_common_are_enough_on_request() -> None:
    request = CompareRequest(common_rows=True)
    assert align([4, 1, 2], [2, 3, 4], request) == ([0.02, 0.04], [0.02, 0.04])
    with pytest.raises(DataError, match="no row in common"):
        align([1], [2], request)

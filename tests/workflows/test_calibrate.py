"""Calibration of a run: fitted, kept, read back, applied everywhere, refused when stale."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from paretorank import Ranker
from paretorank.calibration import Calibration, IdentityMap
from paretorank.config import RunConfig, load_config
from paretorank.foundation.errors import ConfigError, DataError, RunError
from paretorank.workflows.calibrate import activity_tenths, calibrate_run
from paretorank.workflows.calibrated import read_calibration
from paretorank.workflows.calibration_fit import CalibrationWish
from paretorank.workflows.evaluate import evaluate_run
from paretorank.workflows.ingest import prepare
from paretorank.workflows.predict import segment_texts
from paretorank.workflows.run_folder import RunFolder
from paretorank.workflows.train import TrainedRun, train_run

TASKS = ["click", "long_view", "like", "watch"]


@pytest.fixture
def folder(trained: TrainedRun, tmp_path: Path) -> RunFolder:
    """Return a copy of the run, to be calibrated."""
    shutil.copytree(trained.folder.path, tmp_path / "run")
    return RunFolder(tmp_path / "run")


@pytest.fixture
def log(trained: TrainedRun) -> pl.DataFrame:
    return pl.read_parquet(str(trained.folder.read_config().data.log))


def test_a_run_without_a_calibration_scores_raw(folder: RunFolder) -> None:
    assert read_calibration(folder) is None
    raw = evaluate_run(folder, n_resamples=0, is_calibrated=False)
    assert evaluate_run(folder, n_resamples=0).to_json() == raw.to_json()


def test_the_fit_is_calibrated_on_its_own_rows_and_kept(folder: RunFolder) -> None:
    report = calibrate_run(folder, CalibrationWish(method="platt"))
    assert read_calibration(folder) == report.calibration
    assert sorted(task.task for task in report.calibration.tasks) == sorted(TASKS)
    click = evaluate_run(folder, split="valid", n_resamples=0)
    assert click.value("click", "pcoc") == pytest.approx(1.0, abs=0.02)
    raw = evaluate_run(folder, split="valid", n_resamples=0, is_calibrated=False)
    assert click.value("click", "auc") == raw.value("click", "auc")
    assert click.value("click", "log_loss") <= raw.value("click", "log_loss")
    written = json.loads(folder.calibration_report_path.read_text())
    assert {line["stage"] for line in written["lines"]} == {"before", "after"}
    assert {line["split"] for line in written["lines"]} == {"valid", "test"}


def test_the_report_says_what_evaluation_says(folder: RunFolder) -> None:
    report = calibrate_run(folder, CalibrationWish(by="tab"))
    for stage, is_calibrated in (("before", False), ("after", True)):
        result = evaluate_run(folder, by="tab", n_resamples=0, is_calibrated=is_calibrated)
        for line in report.lines:
            if (line.split, line.stage) != ("test", stage):
                continue
            for metric in ("pcoc", "log_loss", "rmse"):
                if metric in line.measures:
                    expected = result.value(
                        line.task, metric, space=line.space, segment=line.segment
                    )
                    assert line.measures[metric] == pytest.approx(expected, nan_ok=True)


def test_scarce_tasks_and_segments_are_left_alone_with_a_note(folder: RunFolder) -> None:
    report = calibrate_run(folder, CalibrationWish(segment="tab"))
    notes = [note for task in report.calibration.tasks for note in task.notes]
    assert any("rows needed" in note for note in notes)
    assert report.calibration.segment == "tab"


def test_python_and_files_score_alike(folder: RunFolder, log: pl.DataFrame, tmp_path: Path) -> None:
    ranker = Ranker.load(folder.path)
    raw = ranker.predict(log.tail(50))
    report = ranker.calibrate(method="platt", segment="tab")
    mapped = ranker.predict(log.tail(50))
    assert mapped.columns == raw.columns
    texts = segment_texts(log.tail(50)["tab"])
    expected = report.calibration.apply(raw.select(TASKS).to_numpy(), TASKS, segment=texts)
    np.testing.assert_allclose(mapped.select(TASKS), expected, rtol=1e-6)
    assert not mapped.select(TASKS).equals(raw.select(TASKS))
    assert ranker.predict(log.tail(50), is_calibrated=False).equals(raw)
    ranker.save(tmp_path / "bundle")
    assert Ranker.load(tmp_path / "bundle").predict(log.tail(50)).equals(mapped)
    raw_result = ranker.evaluate(log.tail(300), is_calibrated=False)
    assert ranker.evaluate(log.tail(300)).value("click", "pcoc") != raw_result.value(
        "click", "pcoc"
    )


def test_a_fitted_ranker_is_calibrated_on_rows_that_are_given(
    config: RunConfig, log: pl.DataFrame
) -> None:
    ranker = Ranker.from_config(config).fit(log.head(2_000))
    report = ranker.calibrate(log.tail(800), method="platt")
    assert {line.split for line in report.lines} == {"valid"}
    result = ranker.evaluate(log.tail(800))
    assert result.value("click", "pcoc") == pytest.approx(1.0, abs=0.02)


def test_the_segment_column_must_be_there_to_predict(folder: RunFolder, log: pl.DataFrame) -> None:
    shortened = log.with_columns(group=pl.lit("a"))
    ranker = Ranker.load(folder.path)
    ranker.calibrate(shortened.tail(600), segment="group")
    with pytest.raises(DataError, match=r"the calibration asks for the column 'group'"):
        ranker.predict(log.tail(5))
    assert len(ranker.predict(shortened.tail(5))) == 5


def test_dropped_rows_lower_the_scores_and_weigh_the_rest(folder: RunFolder) -> None:
    raw = evaluate_run(folder, split="valid", n_resamples=0, is_calibrated=False)
    calibrate_run(folder, CalibrationWish(method="platt", keep_rates={"click": 0.1}))
    result = evaluate_run(folder, split="valid", n_resamples=0)
    assert result.value("click", "pcoc") == pytest.approx(1.0, abs=0.02)
    assert result.value("click", "auc") == pytest.approx(raw.value("click", "auc"), abs=1e-9)
    calibration = read_calibration(folder)
    assert calibration is not None
    assert calibration.keep_rates(TASKS) == [0.1, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("rates", "problem"),
    [({"clik": 0.1}, "binary task, got 'clik'"), ({"watch": 0.1}, "binary task, got 'watch'")],
)
def test_keep_rates_of_what_is_no_binary_task_are_refused(
    folder: RunFolder, rates: dict[str, float], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        calibrate_run(folder, CalibrationWish(keep_rates=rates))


def test_a_keep_rate_of_nothing_is_refused(folder: RunFolder) -> None:
    with pytest.raises(ConfigError, match=r"above 0 and at most 1, got 0\.0"):
        calibrate_run(folder, CalibrationWish(keep_rates={"click": 0.0}))


@pytest.mark.parametrize("damage", ["{", "{}", '{"version": 2}', "\xff"])
def test_a_damaged_file_is_refused_with_the_way_out(folder: RunFolder, damage: str) -> None:
    calibrate_run(folder, CalibrationWish(method="identity"))
    folder.calibration_path.write_text(damage, encoding="latin-1")
    with pytest.raises(RunError, match=r"calibration\.json is damaged") as error:
        evaluate_run(folder)
    assert "paretorank calibrate" in error.value.hint
    assert "--no-calibration" in error.value.hint
    assert evaluate_run(folder, n_resamples=0, is_calibrated=False).tasks() == TASKS


def test_a_calibration_of_other_weights_or_tasks_is_refused(folder: RunFolder) -> None:
    found = calibrate_run(folder, CalibrationWish(method="identity")).calibration
    stale = found.model_copy(update={"weights": "other"})
    folder.calibration_path.write_text(stale.model_dump_json())
    with pytest.raises(RunError, match="other weights"):
        read_calibration(folder)
    renamed = found.tasks[0].model_copy(update={"task": "clik"})
    foreign = found.model_copy(update={"tasks": (renamed,)})
    folder.calibration_path.write_text(foreign.model_dump_json())
    with pytest.raises(RunError, match="tasks that the run lacks: clik"):
        read_calibration(folder)


def test_the_most_active_users_are_in_the_last_tenth() -> None:
    user = np.repeat(np.arange(20), np.arange(1, 21))
    tenth = activity_tenths(user)
    assert tenth[0] == 1
    assert tenth[-1] == 10
    assert sorted(set(tenth.tolist())) == list(range(1, 11))


def test_segments_read_alike_as_whole_numbers_and_floats() -> None:
    texts = segment_texts(pl.Series([1.0, None, 2.0])).tolist()
    assert texts == segment_texts(pl.Series([1, None, 2])).tolist() == ["1", "missing", "2"]


def test_the_text_of_a_segment_does_not_depend_on_the_rows_beside_it() -> None:
    beside = segment_texts(pl.Series([1.0, 2.5, math.nan, None, -3.0, math.inf, 1e300]))
    assert beside.tolist() == ["1", "2.5", "missing", "missing", "-3", "inf", "1e+300"]
    assert segment_texts(pl.Series(["a", None])).tolist() == ["a", "missing"]


@pytest.fixture(scope="module")
def esmm(feed: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    settings = [
        "model.architecture.kind=mmoe",
        "model.architecture.n_experts=2",
        "model.architecture.expert_dims=[8]",
        "model.relations.kind=esmm",
        "training.tensorboard=false",
        "training.epochs=1",
        "evaluation.n_resamples=0",
        'tasks.like.observed_when="click"',
        "data.split.valid_fraction=0.4",
    ]
    scratch = tmp_path_factory.mktemp("esmm")
    folder, config = RunFolder(scratch / "run"), load_config(feed, settings)
    train_run(config, folder, prepared=prepare(config, scratch / "prepared"))
    return folder


def test_entire_space_scores_are_calibrated_on_all_impressions(esmm: RunFolder) -> None:
    report = calibrate_run(esmm, CalibrationWish(method="platt"))
    tasks = {task.task: task for task in report.calibration.tasks}
    assert tasks["like"].along == ("click",)
    assert tasks["like"].everywhere != IdentityMap()
    result = evaluate_run(esmm, split="valid", n_resamples=0)
    joint = result.value("like", "pcoc", space="impressions (click and like)")
    assert joint == pytest.approx(1.0, abs=0.05)


def test_a_child_that_is_labelled_everywhere_stays_below_its_parent(
    folder: RunFolder, log: pl.DataFrame
) -> None:
    calibration: Calibration = calibrate_run(folder, CalibrationWish(method="platt")).calibration
    bounds = {task.task: task.at_most for task in calibration.tasks}
    config = folder.read_config()
    children = [
        name
        for name, task in config.tasks.items()
        if task.kind == "binary" and task.parents and task.observed_when is None
    ]
    assert children
    scores = Ranker.load(folder.path).predict(log.tail(300))
    for name in children:
        assert bounds[name] == tuple((parent,) for parent in config.tasks[name].parents)
        for parent in config.tasks[name].parents:
            assert (scores[name] <= scores[parent]).all()

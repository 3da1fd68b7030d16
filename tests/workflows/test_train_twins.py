"""Twins are trained beside their run, once, and go on where they were interrupted."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from paretorank.foundation.errors import RunError
from paretorank.foundation.progress import Progress
from paretorank.workflows.calibrate import calibrate_run
from paretorank.workflows.calibration_fit import CalibrationWish
from paretorank.workflows.compare import TWINS, CompareRequest, compare_runs
from paretorank.workflows.evaluate import evaluate_run
from paretorank.workflows.run_folder import RunFolder
from paretorank.workflows.scored_log import score_log
from paretorank.workflows.train import TrainedRun
from paretorank.workflows.train_twins import together, train_twins, twin_path

TASKS = ["click", "long_view", "like", "watch"]
QUICK = CompareRequest(n_resamples=20)


class Interrupted(Exception):  # noqa: N818 - a stand-in for Ctrl-C
    pass


@pytest.fixture(scope="module")
def run(trained: TrainedRun, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Return a copy of a finished run, beside which twins are trained."""
    path = tmp_path_factory.mktemp("twins") / "run"
    return RunFolder(Path(shutil.copytree(trained.folder.path, path)))


def times(run: RunFolder) -> dict[str, int]:
    paths = {task: twin_path(run, task) / "checkpoints" / "best.safetensors" for task in TASKS}
    return {task: path.stat().st_mtime_ns for task, path in paths.items() if path.exists()}


def test_twins_are_trained_once_and_go_on_after_an_interruption(run: RunFolder) -> None:
    begun: list[str] = []

    def cut(event: Progress, /) -> None:
        if event.stage == "twins" and "task" in event.facts:
            begun.append(str(event.facts["task"]))
        if event.stage == "train" and begun == TASKS[:2]:
            raise Interrupted

    with pytest.raises(Interrupted):
        train_twins(run, listener=cut)
    first = times(run)
    assert "click" in first
    begun.clear()
    twins = train_twins(run, listener=lambda event: note(begun, event))
    assert begun == TASKS[1:]
    assert list(twins) == TASKS
    assert all(evaluate_run(twin, n_resamples=0).tasks() == [t] for t, twin in twins.items())
    assert times(run)["click"] == first["click"]
    begun.clear()
    train_twins(run, listener=lambda event: note(begun, event))
    assert begun == []


def note(begun: list[str], event: Progress) -> None:
    if event.stage == "twins" and "task" in event.facts:
        begun.append(str(event.facts["task"]))


def test_a_run_is_compared_with_its_twins_side_by_side(run: RunFolder) -> None:
    result = compare_runs([run], QUICK, twins=True)
    assert (result.baseline, result.runs) == (TWINS, ("run",))
    for task in TASKS:
        alone = evaluate_run(RunFolder(twin_path(run, task)), n_resamples=0)
        main = next(d for d in result.differences if d.task == task)
        assert main.baseline == pytest.approx(alone.value(task, main.metric), rel=1e-12)
        assert (main.is_guarded, main.is_missing) == (True, False)
    assert len(result.mean_gain("run").tasks) == len(TASKS)


def test_twins_without_the_keep_rates_of_their_run_are_refused_before_they_are_trained(
    trained: TrainedRun, tmp_path: Path
) -> None:
    copy = RunFolder(Path(shutil.copytree(trained.folder.path, tmp_path / "copy")))
    calibrate_run(copy, CalibrationWish(method="identity", keep_rates={"click": 0.5}))
    with pytest.raises(RunError, match="copy and twins were calibrated with different") as no:
        compare_runs([copy], QUICK, twins=True)
    assert f"Calibrate {twin_path(copy, 'click')} as {copy.path} was" in no.value.hint
    assert "--twins --raw" in no.value.hint
    assert not (copy.path / "twins").exists()


def test_twins_with_the_keep_rates_of_their_run_are_compared_with(
    run: RunFolder, tmp_path: Path
) -> None:
    train_twins(run)
    copy = RunFolder(Path(shutil.copytree(run.path, tmp_path / "copy")))
    wish = CalibrationWish(method="identity", keep_rates={"click": 0.5})
    calibrate_run(copy, wish)
    calibrate_run(RunFolder(twin_path(copy, "click")), wish)
    result = compare_runs([copy], QUICK, twins=True)
    assert (result.baseline, result.calibrated) == (TWINS, ("copy",))


def test_a_twin_of_another_configuration_is_trained_anew(run: RunFolder, tmp_path: Path) -> None:
    train_twins(run)
    copy = RunFolder(Path(shutil.copytree(run.path, tmp_path / "copy")))
    text = copy.config_path.read_text()
    assert "batch_size = 512" in text
    copy.config_path.write_text(text.replace("batch_size = 512", "batch_size = 500"))
    before, begun = times(copy), list[str]()
    train_twins(copy, listener=lambda event: note(begun, event))
    assert begun == TASKS
    assert all(times(copy)[task] > before[task] for task in TASKS)


def test_a_twin_that_saw_other_rows_is_refused(run: RunFolder) -> None:
    twins = train_twins(run)
    log = score_log(run)
    scored = {task: score_log(twin) for task, twin in twins.items()}
    np.testing.assert_array_equal(together(log, scored).truth, log.rows.truth)
    scored["like"] = score_log(twins["like"], split="valid")
    with pytest.raises(RunError, match="twin of like has not the rows and labels"):
        together(log, scored)


def test_every_task_has_a_folder_of_its_own_inside_the_run(run: RunFolder) -> None:
    paths = {twin_path(run, task) for task in ("a/b", "a%2Fb", "..", "a b", ".")}
    assert len(paths) == 5
    assert {path.parent for path in paths} == {run.path / "twins"}
    assert {path.resolve().parent for path in paths} == {(run.path / "twins").resolve()}

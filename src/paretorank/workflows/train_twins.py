"""Train the single-task twins of a run, each in a folder of its own; what is finished stays."""

from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import numpy as np

from paretorank.calibration import Calibration
from paretorank.config import RunConfig, to_toml
from paretorank.evaluation import ScoredRows
from paretorank.foundation.errors import RunError
from paretorank.foundation.progress import Listener, Progress, silent
from paretorank.workflows.calibrated import read_calibration
from paretorank.workflows.ingest import Prepared, prepare
from paretorank.workflows.run_folder import RunFolder, with_absolute_paths
from paretorank.workflows.scored_log import ScoredLog, refuse_another_log
from paretorank.workflows.train import train_run
from paretorank.workflows.twins import twin_config

TWINS_FOLDER = "twins"


def train_twins(folder: RunFolder, *, listener: Listener = silent) -> dict[str, RunFolder]:
    """Return the finished twin of every task of a run, in RUN/twins/TASK.

    An interrupted twin goes on where it stopped; one that was trained by another configuration or
    on another state of the log is trained anew.

    Raises:
        RunError: the run is not finished, its log is not as it was, or a twin is being trained.
    """
    config = folder.read_config()
    refuse_another_log(folder, config)
    twins = {task: RunFolder(twin_path(folder, task)) for task in config.tasks}
    waiting = [task for task, twin in twins.items() if not _is_finished(twin, folder, config, task)]
    prepared = _prepared(folder, config, listener) if waiting else None
    for at, task in enumerate(waiting):
        listener(Progress("twins", at, len(waiting), "twins", {"task": task}))
        twin, settings = twins[task], twin_config(config, task)
        resume = _is_of(twin, folder, settings)
        twin.metrics_path.unlink(missing_ok=True)  # it would call an interrupted twin finished
        train_run(settings, twin, prepared=prepared, resume=resume, listener=listener)
    if waiting:
        listener(Progress("twins", len(waiting), len(waiting), "twins"))
    return twins


def twin_calibrations(folder: RunFolder) -> dict[str, Calibration | None]:
    """Return the calibration of every task's twin; None also where it has yet to be trained.

    Raises:
        RunError: a calibration is damaged, or the run has no configuration.
    """
    config = folder.read_config()
    twins = {task: RunFolder(twin_path(folder, task)) for task in config.tasks}
    return {
        task: read_calibration(twin) if _is_finished(twin, folder, config, task) else None
        for task, twin in twins.items()
    }


def twin_path(folder: RunFolder, task: str) -> Path:
    """Return where the twin of a task is trained."""
    return folder.path / TWINS_FOLDER / quote(task, safe=" ").replace(".", "%2E")


def together(run: ScoredLog, twins: dict[str, ScoredLog]) -> ScoredRows:
    """Return the scores of the twins side by side, as if one model had given them.

    Raises:
        RunError: a twin was not asked about the rows of the run.
    """
    labels = run.rows.labels
    for task, twin in twins.items():
        same = np.array_equal(twin.row, run.row)
        at = run.rows.index(task)
        if not (same and np.array_equal(twin.rows.truth[:, 0], run.rows.truth[:, at], True)):
            raise RunError(
                f"The twin of {task} has not the rows and labels of the run.",
                hint=f"Delete the folder {TWINS_FOLDER} of the run; it is trained anew.",
            )
    scores = [twins[label.name].rows.scores[:, 0] for label in labels]
    return replace(run.rows, scores=np.stack(scores, axis=1))


def _is_finished(twin: RunFolder, folder: RunFolder, config: RunConfig, task: str) -> bool:
    return twin.metrics_path.exists() and _is_of(twin, folder, twin_config(config, task))


def _is_of(twin: RunFolder, folder: RunFolder, settings: RunConfig) -> bool:
    """Return whether a twin was begun with these settings and on the run's state of the log."""
    if not twin.config_path.exists():
        return False
    same_data = all(twin.recorded(name) == folder.recorded(name) for name in ("log", "split_from"))
    written = twin.config_path.read_text(encoding="utf-8")
    return same_data and written == to_toml(with_absolute_paths(settings))


def _prepared(folder: RunFolder, config: RunConfig, listener: Listener) -> Prepared:
    """Return the run's prepared data set, made again if it is gone."""
    known = folder.recorded("prepared")
    return prepare(config, Path(known) if known else None, listener=listener)

"""The points of a front: finished runs, or one run at many preferences."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from paretorank.evaluation import TaskMetric, task_metrics
from paretorank.foundation.errors import ConfigError, RunError
from paretorank.foundation.progress import Listener, Progress, silent
from paretorank.pareto import simplex_lattice
from paretorank.schema import SplitName
from paretorank.workflows.calibrated import (
    calibrated_rows,
    read_calibration,
    score_as_served,
)
from paretorank.workflows.front import FrontOptions, FrontReport, Point, report_front
from paretorank.workflows.predict import load_model
from paretorank.workflows.run_folder import RunFolder
from paretorank.workflows.scored_log import (
    ScoredLog,
    refuse_another_log,
    score_preferences,
)


def runs_below(paths: Sequence[Path]) -> list[RunFolder]:
    """Return the runs; a folder that is none stands for the finished runs inside, by name."""
    found: list[RunFolder] = []
    for path in paths:
        run = RunFolder(path)
        if run.config_path.exists() or not path.is_dir():
            found.append(run)
            continue
        inside = [RunFolder(folder) for folder in sorted(path.iterdir()) if folder.is_dir()]
        found.extend(run for run in inside if run.metrics_path.exists())
    return found


def front_of(
    paths: Sequence[Path],
    options: FrontOptions,
    *,
    split: SplitName = "valid",
    n_points: int = 11,
    settings: Mapping[str, Mapping[str, float]] | None = None,
    listener: Listener = silent,
) -> FrontReport:
    """Return the front of several finished runs, or that of one which can be told a preference.

    Args:
        paths: folders of runs, or folders of folders of runs.
        options: what is asked.
        split: rows of the log that are scored; whoever picks on test rows has no test rows left.
        n_points: at most so many preferences, for one run.
        settings: what to write down beside runs, by the name of their folders.
        listener: hears of progress.

    Raises:
        ConfigError: an option does not fit, or one run is there that is told nothing.
        RunError: a run is not finished, or runs have been trained on other rows or labels.
    """
    runs = runs_below(paths)
    if not runs:
        raise RunError(
            f"{', '.join(map(str, paths))} holds no finished run.",
            hint="Give folders that `paretorank train` has printed.",
        )
    if len(runs) == 1:
        return front_of_preferences(
            runs[0], options, split=split, n_points=n_points, listener=listener
        )
    task_metrics(options.objectives, runs[0].read_config().label_specs())  # before any scoring
    logs = []
    for number, run in enumerate(runs, start=1):
        logs.append(score_as_served(run, split=split, is_raw=options.is_raw))
        listener(Progress("score", number, len(runs), "runs"))
    wanted = task_metrics(options.objectives, logs[0].rows.labels)
    for run, log in zip(runs[1:], logs[1:], strict=True):
        _refuse_other_rows(runs[0], logs[0], run, log, wanted)
    names = _names([run.path for run in runs])
    points = [
        Point(
            name,
            (settings or {}).get(run.path.name, {}),
            log.rows,
            not options.is_raw and run.calibration_path.exists(),
        )
        for name, run, log in zip(names, runs, logs, strict=True)
    ]
    return report_front(points, wanted, options)


def front_of_preferences(
    run: RunFolder,
    options: FrontOptions,
    *,
    split: SplitName = "valid",
    n_points: int = 11,
    listener: Listener = silent,
) -> FrontReport:
    """Return the front of one run over a grid of preferences for the tasks of the objectives.

    Other tasks are given no share.

    Raises:
        ConfigError: the run cannot be told a preference.
    """
    model, encoder, config = load_model(run)
    if not model.preference.is_read:
        raise ConfigError(
            f"{run.path} is one run that cannot be told a preference: one point, and no front.",
            hint="Give several runs, or train with model.preference and its balancer.",
        )
    refuse_another_log(run, config)
    wanted = task_metrics(options.objectives, config.label_specs())
    tasks = list(dict.fromkeys(one.task for one in wanted))
    grid = simplex_lattice(len(tasks), n_points).tolist()
    preferences = [dict(zip(tasks, shares, strict=True)) for shares in grid]
    calibration = None if options.is_raw else read_calibration(run)
    segment = calibration.segment if calibration else None
    logs = score_preferences(
        model,
        encoder,
        config,
        preferences,
        split=split,
        split_from=run.split_from,
        columns={segment: "the calibration"} if segment else {},
        listener=listener,
    )
    points = [
        Point(
            " ".join(f"{task}={share:.3g}" for task, share in shares.items()),
            shares,
            calibrated_rows(log, calibration) if calibration else log.rows,
            calibration is not None,
        )
        for shares, log in zip(preferences, logs, strict=True)
    ]
    return report_front(points, wanted, options)


def _names(paths: Sequence[Path]) -> list[str]:
    """Return the names of the folders; their paths where two have the same."""
    names = [path.name for path in paths]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]


def _refuse_other_rows(
    first: RunFolder,
    known: ScoredLog,
    run: RunFolder,
    log: ScoredLog,
    wanted: Sequence[TaskMetric],
) -> None:
    problem = ""
    if not np.array_equal(known.row, log.row):
        problem = "other rows of the log"
    elif not np.array_equal(_weight(known), _weight(log)):
        problem = "other weights of rows (does its calibration make up for dropped ones?)"
    for one in wanted:
        here, there = known.rows.index(one.task), log.rows.index(one.task)
        if there is None or here is None:
            problem = problem or f"no task {one.task!r}"
        elif not problem and not np.array_equal(
            known.rows.truth[:, here], log.rows.truth[:, there], equal_nan=True
        ):
            problem = f"other labels for {one.task!r}"
    if problem:
        raise RunError(
            f"{run.path} has {problem} than {first.path}, so they are no points of one front.",
            hint="Compare runs of the same log, split and tasks; or name other objectives.",
        )


def _weight(log: ScoredLog) -> Shaped[np.ndarray, " N"]:
    return np.ones(len(log)) if log.rows.weight is None else log.rows.weight

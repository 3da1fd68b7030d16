"""Fit the calibration of a finished run on its validation rows, and say what it changes.

Shapes: N rows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
import polars as pl
from jaxtyping import Int

from paretorank.calibration import Calibration, Method, ReliabilityBin, measures, reliability
from paretorank.config import RunConfig
from paretorank.evaluation import EVERYTHING, View, views_of
from paretorank.evaluation.segments import segments_of
from paretorank.foundation.errors import ConfigError
from paretorank.foundation.files import write_json
from paretorank.foundation.progress import Listener, silent
from paretorank.foundation.suggestions import did_you_mean
from paretorank.schema import SplitName
from paretorank.workflows.calibrated import calibrated_rows, weights_digest, write_calibration
from paretorank.workflows.calibration_fit import CalibrationWish, fit_calibration
from paretorank.workflows.evaluate import readable
from paretorank.workflows.run_folder import RunFolder
from paretorank.workflows.scored_log import ScoredLog, score_log

ACTIVITY: Final = "activity"
"""Name of the slices by how many rows the users have: 1 is the tenth with the fewest."""
_N_ACTIVITY_PARTS: Final = 10


@dataclass(frozen=True)
class CalibrationLine:
    """One task in one sample space, on one part of one split, before or after."""

    task: str
    space: str
    split: str
    """valid is what the maps were fitted on."""
    segment: str
    stage: str
    n_rows: int
    measures: dict[str, float]
    bins: list[ReliabilityBin]
    """What was predicted beside what happened; empty for segments."""


@dataclass(frozen=True)
class CalibrationReport:
    """What was fitted, and scores before and after, on the rows of the fit and on test rows."""

    calibration: Calibration
    errors: Mapping[str, Mapping[Method, float]]
    """Error of each method on users that its fit did not see, by task."""
    lines: list[CalibrationLine]

    def to_json(self) -> dict[str, Any]:
        """Return everything, ready for a JSON file."""
        return {
            "calibration": self.calibration.model_dump(mode="json"),
            "errors": {task: dict(errors) for task, errors in self.errors.items()},
            "lines": [asdict(line) for line in self.lines],
        }


def calibrate_run(
    folder: RunFolder,
    wish: CalibrationWish,
    *,
    rows: pl.LazyFrame | None = None,
    listener: Listener = silent,
) -> CalibrationReport:
    """Fit on validation rows or, if given, on new rows with labels; keep the maps in the run.

    Test rows are reported on where the rows come from the run's own log.

    Raises:
        ConfigError: a keep rate is no rate, or of a task that is not binary.
        DataError: there are no rows, or a column does not exist.
        RunError: the log is not as it was, or the folder holds no trained run.
    """
    config = folder.read_config()
    _check(wish, config)
    columns = {name: f"--{option}" for option, name in _columns_of(wish).items()}

    def scored(split: SplitName) -> ScoredLog:
        return score_log(
            folder,
            rows=rows,
            split=split,
            columns=columns,
            preference=wish.preference,
            listener=listener,
        )

    logs = {"valid": scored("valid")}
    if rows is None and _has_test(config):
        logs["test"] = scored("test")
    fitted = fit_calibration(logs["valid"], config, wish, weights=weights_digest(folder))
    lines = [
        line for split, log in logs.items() for line in _lines(split, log, fitted.calibration, wish)
    ]
    report = CalibrationReport(fitted.calibration, fitted.errors, lines)
    write_json(folder.calibration_report_path, report.to_json())
    write_calibration(folder, fitted.calibration)
    return report


def _check(wish: CalibrationWish, config: RunConfig) -> None:
    for name, rate in wish.keep_rates.items():
        if name not in config.tasks or config.tasks[name].kind != "binary":
            binary = [other for other, task in config.tasks.items() if task.kind == "binary"]
            raise ConfigError(
                f"--keep-rate must name a binary task, got {name!r}.",
                hint=did_you_mean(name, binary),
            )
        if not 0.0 < rate <= 1.0:
            raise ConfigError(
                f"--keep-rate must be above 0 and at most 1, got {rate} ({name}).",
                hint="Give the share of rows with label 0 that the log has kept: click=0.1.",
            )
    if wish.by_activity and config.data.keys.user is None:
        raise ConfigError(
            "--by-activity needs to know the users, and data.keys.user is not set.",
            hint="Slice by a column of the log with --by instead.",
        )


def _columns_of(wish: CalibrationWish) -> dict[str, str]:
    named = {"segment": wish.segment, "by": wish.by}
    return {option: name for option, name in named.items() if name is not None}


def _has_test(config: RunConfig) -> bool:
    split = config.data.split
    return bool(split.test) if split.by == "column" else split.test_fraction > 0


def _lines(
    split: str, log: ScoredLog, calibration: Calibration, wish: CalibrationWish
) -> Iterator[CalibrationLine]:
    """Yield every task before and after; both count rows as often as the whole log had them."""
    after = calibrated_rows(log, calibration)
    before = replace(log.rows, weight=after.weight)
    slices = {} if wish.by is None else {wish.by: readable(log.columns[wish.by])}
    if wish.by_activity and log.rows.user is not None:
        slices[ACTIVITY] = activity_tenths(log.rows.user)
    parts = [(EVERYTHING, None), *segments_of(slices)]
    for raw, mapped in zip(views_of(before), views_of(after), strict=True):
        for segment, within in parts:
            for stage, view in (("before", raw), ("after", mapped)):
                yield _line(view, within, split=split, segment=segment, stage=stage)


def _line(
    view: View, within: np.ndarray | None, *, split: str, segment: str, stage: str
) -> CalibrationLine:
    part, is_chance = view.rows(within), view.kind == "binary"
    return CalibrationLine(
        task=view.task,
        space=view.space,
        split=split,
        segment=segment,
        stage=stage,
        n_rows=len(part),
        measures=measures(part, is_chance=is_chance),
        bins=reliability(part, is_chance=is_chance) if within is None else [],
    )


def activity_tenths(user: Int[np.ndarray, " N"]) -> Int[np.ndarray, " N"]:
    """Return for each row the tenth that its user is in: 1 holds those with the fewest rows."""
    _, place, n_rows = np.unique(user, return_inverse=True, return_counts=True)
    rank = np.empty(len(n_rows), dtype=np.int64)
    rank[np.argsort(n_rows, kind="stable")] = np.arange(len(n_rows))
    return (rank * _N_ACTIVITY_PARTS // len(n_rows) + 1)[place]

"""Compare finished runs with each other, or with single-task twins, on the same rows.

Shapes: N rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import polars as pl
from jaxtyping import Int

from paretorank.calibration import Calibration
from paretorank.config import RunConfig
from paretorank.evaluation import Comparison, GateConfig, ScoredRows, compare_rows
from paretorank.foundation.errors import ConfigError, DataError, RunError
from paretorank.foundation.progress import Listener, silent
from paretorank.schema import SplitName
from paretorank.workflows.calibrated import read_calibration, score_as_served
from paretorank.workflows.run_folder import RunFolder, with_absolute_paths
from paretorank.workflows.scored_log import ScoredLog
from paretorank.workflows.train_twins import (
    together,
    train_twins,
    twin_calibrations,
    twin_path,
)

TWINS: Final = "twins"
"""Name of the single-task twins put together."""


@dataclass(frozen=True)
class CompareRequest:
    """Which rows, and what is asked about them."""

    rows: pl.LazyFrame | None = None
    """New rows with labels; a split of the runs' own log without them."""
    split: SplitName = "test"
    common_rows: bool = False
    """Whether rows that only some of the runs have are left out instead of refused."""
    is_raw: bool = False
    """Whether scores are taken as the models give them, also where a run is calibrated."""
    gate: GateConfig = field(default_factory=GateConfig)
    n_resamples: int = 1000
    confidence: float = 0.95
    seed: int = 0


def compare_runs(
    folders: Sequence[RunFolder],
    request: CompareRequest | None = None,
    *,
    twins: bool = False,
    listener: Listener = silent,
) -> Comparison:
    """Compare runs with the first one or, with `twins`, with the twins of the first one.

    Raises:
        ConfigError: there is nothing to compare with, or a guard does not exist.
        DataError: the runs have other rows, or mean different things by a task.
        RunError: a run is not finished, or its log is not as it was.
    """
    request = request or CompareRequest()
    if len(folders) + twins < 2:  # noqa: PLR2004 - a comparison has two sides
        raise ConfigError(
            f"A comparison needs two runs, got {len(folders)}.",
            hint="Name another run, or compare with single-task twins: --twins.",
        )
    if request.rows is None:
        _refuse_other_logs(folders)
    named = _named(folders)
    alone = twin_calibrations(folders[0]) if twins and not request.is_raw else {}
    calibrated = () if request.is_raw else _calibrated(named, alone)  # before the long training
    trained = train_twins(folders[0], listener=listener) if twins else {}
    logs = {name: _score(folder, request, listener) for name, folder in named.items()}
    of_twins = {task: _score(folder, request, listener) for task, folder in trained.items()}
    scored = {name: log.rows for name, log in logs.items()}
    if twins:
        first = next(iter(logs.values()))
        rows = together(first, of_twins)
        logs = {TWINS: replace(first, rows=rows), **logs}
        scored = {TWINS: rows, **scored}
    found = compare_rows(
        aligned({name: log.row for name, log in logs.items()}, scored, request),
        gate=request.gate,
        n_resamples=request.n_resamples,
        confidence=request.confidence,
        seed=request.seed,
    )
    return replace(found, calibrated=calibrated)


def _calibrated(
    named: Mapping[str, RunFolder], twins: Mapping[str, Calibration | None]
) -> tuple[str, ...]:
    """Return whose scores are calibrated; the twins' are if those of all of them are.

    Raises:
        RunError: calibrations make up for dropped rows differently, so that the same row would
            have to count differently.
    """
    found = {name: read_calibration(folder) for name, folder in named.items()}
    rates = {name: _keep_rates(one) for name, one in found.items()}
    names = [name for name, one in found.items() if one is not None]
    if twins:
        rates[TWINS] = frozenset().union(*map(_keep_rates, twins.values()))
        names = [TWINS, *names] if all(twins.values()) else names
    first, known = next(iter(rates.items()))
    for name, other in rates.items():
        if other != known:
            alike = "Calibrate them alike"
            if name == TWINS:
                alike = _how_twins_become_alike(named[first], known, twins)
            raise RunError(
                f"{first} and {name} were calibrated with different keep rates, so that the same "
                "row would have to count differently.",
                hint=f"{alike}, or compare scores as the models give them: --raw.",
            )
    return tuple(names)


def _how_twins_become_alike(
    folder: RunFolder,
    known: frozenset[tuple[str, float]],
    twins: Mapping[str, Calibration | None],
) -> str:
    other = [
        str(twin_path(folder, task))
        for task, twin in twins.items()
        if _keep_rates(twin) != {rate for rate in known if rate[0] == task}
    ]
    return (
        f"Calibrate {', '.join(other)} as {folder.path} was (twins that are not there yet are "
        "trained by --twins --raw)"
    )


def _keep_rates(calibration: Calibration | None) -> frozenset[tuple[str, float]]:
    tasks = () if calibration is None else calibration.tasks
    return frozenset((task.task, task.keep_rate) for task in tasks if task.keep_rate != 1.0)


def aligned(
    row: Mapping[str, Int[np.ndarray, " _"]],
    scored: Mapping[str, ScoredRows],
    request: CompareRequest,
) -> dict[str, ScoredRows]:
    """Return the rows that all runs have, in the order of the log.

    Args:
        row: the number of each row in the log, by run.
        scored: the rows themselves.
        request: says whether rows of some runs only are refused.

    Raises:
        DataError: a run has other rows and nobody said that they do not matter, or no row is left.
    """
    (first, known), *others = row.items()
    common = known
    for name, numbers in others:
        if not request.common_rows:
            _refuse_other_rows(first, known, name, numbers)
        common = np.intersect1d(common, numbers)
    if not len(common):
        raise DataError("The runs have no row in common.", hint="Name rows for all: --data FILE.")
    common = np.sort(common)
    result = {}
    for name, rows in scored.items():
        order = np.argsort(row[name], kind="stable")
        at = order[np.searchsorted(row[name], common, sorter=order)]
        result[name] = ScoredRows(
            rows.labels,
            rows.scores[at],
            rows.truth[at],
            None if rows.weight is None else rows.weight[at],
            None if rows.user is None else rows.user[at],
        )
    return result


def _refuse_other_rows(
    first: str, known: Int[np.ndarray, " _"], name: str, numbers: Int[np.ndarray, " _"]
) -> None:
    missing, extra = np.setdiff1d(known, numbers), np.setdiff1d(numbers, known)
    for part, has, lacks in ((missing, first, name), (extra, name, first)):
        if len(part):
            total = len(known) if part is missing else len(numbers)
            raise DataError(
                f"The runs must have the same rows, but {len(part):,} of the {total:,} rows of "
                f"{has} are not rows of {lacks}, first row {part[0]:,} of the log.",
                hint="Compare on the rows that all have: --common-rows; or name rows: --data FILE.",
            )


def _score(folder: RunFolder, request: CompareRequest, listener: Listener) -> ScoredLog:
    return score_as_served(
        folder,
        rows=request.rows,
        split=request.split,
        is_raw=request.is_raw,
        listener=listener,
    )


def _named(folders: Sequence[RunFolder]) -> dict[str, RunFolder]:
    """Return the runs by the shortest end of their paths that tells them apart."""
    paths = [folder.path.absolute() for folder in folders]
    for depth in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-depth:]) for path in paths]
        if len({*names, TWINS}) > len(paths):
            return dict(zip(names, folders, strict=True))
    names = [f"{path.name} ({at})" for at, path in enumerate(paths, start=1)]  # a run twice
    return dict(zip(names, folders, strict=True))


def _refuse_other_logs(folders: Sequence[RunFolder]) -> None:
    """Refuse runs whose row numbers do not mean the same rows."""

    def log(config: RunConfig) -> tuple[str, ...]:
        place = with_absolute_paths(config).data.log
        return (place,) if isinstance(place, str) else tuple(place)

    first, *others = [log(folder.read_config()) for folder in folders]
    for folder, other in zip(folders[1:], others, strict=True):
        if other != first:
            raise RunError(
                f"{folder.path} was trained on another log than {folders[0].path}: "
                f"{', '.join(other)} instead of {', '.join(first)}.",
                hint="Name the rows to compare on: --data FILE.",
            )

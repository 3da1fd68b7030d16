"""The calibration of a run: read, checked, applied to scores as they are served.

Shapes: N rows, T tasks.
"""

from collections.abc import Mapping
from dataclasses import replace

import polars as pl
from pydantic import ValidationError

from paretorank.calibration import Calibration
from paretorank.evaluation import ScoredRows
from paretorank.foundation.errors import RunError
from paretorank.foundation.files import file_digest, write_text
from paretorank.foundation.progress import Listener, silent
from paretorank.schema import SplitName
from paretorank.training.trainer import BEST
from paretorank.workflows.predict import segment_texts
from paretorank.workflows.run_folder import RunFolder
from paretorank.workflows.scored_log import ScoredLog, score_log


def weights_digest(folder: RunFolder) -> str:
    """Return the digest of the weights that a run scores with."""
    return file_digest(folder.checkpoints / BEST)


def write_calibration(folder: RunFolder, calibration: Calibration) -> None:
    """Write a calibration into its run, whole or not at all."""
    write_text(folder.calibration_path, calibration.model_dump_json(indent=1) + "\n")


def read_calibration(folder: RunFolder) -> Calibration | None:
    """Read the calibration of a run; None if there is none.

    Raises:
        RunError: the file is damaged, or was fitted for other weights or tasks than the run has.
    """
    path = folder.calibration_path
    hint = f"Run `paretorank calibrate {folder.path}` again, or give --no-calibration."
    try:
        found = Calibration.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise RunError(f"{path} is damaged: {place}: {first['msg']}.", hint=hint) from None
    known = set(folder.read_config().tasks)
    for task in found.tasks:
        named = {task.task, *task.along, *(name for bound in task.at_most for name in bound)}
        if not named <= known:
            unknown = ", ".join(sorted(named - known))
            raise RunError(f"{path} calibrates tasks that the run lacks: {unknown}.", hint=hint)
    if found.weights != weights_digest(folder):
        raise RunError(f"{path} was fitted for other weights than the run has now.", hint=hint)
    return found


def calibration_digest(folder: RunFolder) -> str:
    """Return what changes when a run is calibrated anew; empty if it is not calibrated."""
    path = folder.calibration_path
    return file_digest(path) if path.exists() else ""


def score_as_served(
    folder: RunFolder,
    *,
    rows: pl.LazyFrame | None = None,
    split: SplitName = "test",
    columns: Mapping[str, str] | None = None,
    is_raw: bool = False,
    preference: Mapping[str, float] | None = None,
    fixed: Mapping[str, float] | None = None,
    listener: Listener = silent,
) -> ScoredLog:
    """Score rows as `predict` does: calibrated if the run is, unless `is_raw`.

    The rest is that of `score_log`.
    """
    calibration = None if is_raw else read_calibration(folder)
    wanted = dict(columns or {})
    read = dict(wanted)
    if calibration is not None and calibration.segment:
        read.setdefault(calibration.segment, "the calibration")
    log = score_log(
        folder,
        rows=rows,
        split=split,
        columns=read,
        preference=preference,
        fixed=fixed,
        listener=listener,
    )
    if calibration is None:
        return log
    return replace(
        log, rows=calibrated_rows(log, calibration), columns=log.columns.select(list(wanted))
    )


def calibrated_rows(log: ScoredLog, calibration: Calibration) -> ScoredRows:
    """Return the rows with calibrated scores, and weights that make up for dropped rows.

    The columns of the log must hold that of the segments.
    """
    rows, segment = log.rows, calibration.segment
    names = [label.name for label in rows.labels]
    texts = segment_texts(log.columns[segment]) if segment else None
    return replace(
        rows,
        scores=calibration.apply(rows.scores, names, segment=texts),
        weight=calibration.row_weight(rows.truth, names, rows.weight),
    )

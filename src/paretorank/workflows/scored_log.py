"""Rows of a log, scored by a run: where calibration, fusion and comparison start from.

Shapes: N rows, T tasks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Int

from paretorank.config import RunConfig
from paretorank.data.encoded import EncodedRows
from paretorank.data.encoder import Encoder
from paretorank.data.ingest import encode_rows, prepare_frame
from paretorank.data.labels import LABEL_PREFIX
from paretorank.data.source import require_columns
from paretorank.data.splits import ROW_COLUMN, SPLIT_COLUMN, SPLITS
from paretorank.data.stream import stream
from paretorank.evaluation import ScoredRows
from paretorank.foundation.errors import DataError, RunError
from paretorank.foundation.progress import Listener, silent
from paretorank.model import MultiTaskRanker, score_batches
from paretorank.schema import SplitName
from paretorank.workflows.ingest import ingest_request, log_digest
from paretorank.workflows.predict import batches_of, load_model
from paretorank.workflows.preference import preferred_by
from paretorank.workflows.run_folder import RunFolder


@dataclass(frozen=True)
class ScoredLog:
    """Scores beside what happened, and which row, user and request of the log it was."""

    rows: ScoredRows
    row: Int[np.ndarray, " N"]
    """Number of each row in the log."""
    request: Int[np.ndarray, " N"]
    """Code of the request; each row is one of its own where requests are not known."""
    columns: pl.DataFrame
    """Columns of the log that were asked for, as they are there."""

    def __len__(self) -> int:
        return len(self.row)


def score_log(
    folder: RunFolder,
    *,
    rows: pl.LazyFrame | None = None,
    split: SplitName = "test",
    columns: Mapping[str, str] | None = None,
    preference: Mapping[str, float] | None = None,
    fixed: Mapping[str, float] | None = None,
    listener: Listener = silent,
) -> ScoredLog:
    """Score a split of a finished run's log or, if given, new rows with labels.

    The rows are read from the log again and pass through the run's own encoder, as at serving.

    Args:
        folder: of the run.
        rows: new rows; the run's own log without them.
        split: which rows of the log.
        columns: columns of the log to hand over as well, and who asks for each, for messages.
        preference: share of each task; the model's default where absent.
        fixed: columns of which the model is shown one and the same number instead of the log's.
        listener: hears of progress.

    Raises:
        DataError: no row is left, or a column does not exist.
        RunError: the log is not as it was, or the folder holds no trained run.
    """
    model, encoder, config = load_model(folder)
    if rows is None:
        refuse_another_log(folder, config)
    return score_frame(
        model,
        encoder,
        config,
        rows=rows,
        split=split,
        split_from=folder.split_from,
        columns=columns,
        preference=preference,
        fixed=fixed,
        listener=listener,
    )


def score_frame(
    model: MultiTaskRanker,
    encoder: Encoder,
    config: RunConfig,
    *,
    rows: pl.LazyFrame | None = None,
    split: SplitName = "test",
    split_from: int = 0,
    columns: Mapping[str, str] | None = None,
    preference: Mapping[str, float] | None = None,
    fixed: Mapping[str, float] | None = None,
    listener: Listener = silent,
) -> ScoredLog:
    """Score new rows with labels or, where there are none, a split of the log.

    `split_from` is that of the prepared data set that the model was trained on; `preference` is the
    model's default where absent; `fixed` is as in `score_log`.
    """
    return score_preferences(
        model,
        encoder,
        config,
        [preference],
        rows=rows,
        split=split,
        split_from=split_from,
        columns=columns,
        fixed=fixed,
        listener=listener,
    )[0]


def score_preferences(
    model: MultiTaskRanker,
    encoder: Encoder,
    config: RunConfig,
    preferences: Sequence[Mapping[str, float] | None],
    *,
    rows: pl.LazyFrame | None = None,
    split: SplitName = "test",
    split_from: int = 0,
    columns: Mapping[str, str] | None = None,
    fixed: Mapping[str, float] | None = None,
    listener: Listener = silent,
) -> list[ScoredLog]:
    """Score the same rows once for every preference; they are read and encoded once."""
    chosen = [preferred_by(model, preference).of(pl.DataFrame()) for preference in preferences]
    request = ingest_request(config, rows, split_from=split_from)
    frame = prepare_frame(request, with_split=rows is None)
    if rows is None:
        frame = frame.filter(pl.col(SPLIT_COLUMN) == SPLITS.index(split))
    wanted = dict(columns or {})
    _refuse_unreadable(frame, wanted)
    needed = [ROW_COLUMN, *encoder.columns, *(LABEL_PREFIX + n for n in model.task_names)]
    keys = (config.data.keys.user, config.data.keys.request, config.data.weight)
    needed += [*(name for name in keys if name), *wanted]
    parts: list[EncodedRows] = []
    extra = [frame.select(list(wanted)).head(0).collect()]

    scores: list[list[np.ndarray]] = [[] for _ in chosen]
    chunks = frame.select(list(dict.fromkeys(needed)))
    for chunk in stream(chunks, stage="score", listener=listener):
        part = encode_rows(_with_fixed(chunk, fixed or {}), encoder, config.data)
        parts.append(part)
        extra.append(chunk.select(list(wanted)))
        for found, preference in zip(scores, chosen, strict=True):
            found.append(score_batches(model, batches_of([part], preference)))
    if not sum(map(len, parts)):
        raise DataError(f"The {split} split has no row.", hint="Look at data.split.")
    order = [encoder.layout.task_names.index(name) for name in model.task_names]
    frame_of_columns = pl.concat(extra)
    return [_scored_log(config, parts, order, found, frame_of_columns) for found in scores]


def _with_fixed(chunk: pl.DataFrame, fixed: Mapping[str, float]) -> pl.DataFrame:
    return chunk.with_columns(
        pl.lit(value).cast(chunk.schema[name]).alias(name) for name, value in fixed.items()
    )


def _scored_log(
    config: RunConfig,
    parts: Sequence[EncodedRows],
    order: Sequence[int],
    scores: Sequence[np.ndarray],
    columns: pl.DataFrame,
) -> ScoredLog:
    """Return encoded rows with their scores; `order` says where the labels of each task stand."""
    keys = config.data.keys
    rows = ScoredRows(
        tuple(config.label_specs()),
        np.concatenate(scores),
        np.concatenate([part.labels for part in parts])[:, order],
        np.concatenate([part.weight for part in parts]) if config.data.weight else None,
        np.concatenate([part.user for part in parts]) if keys.user else None,
    )
    row = np.concatenate([part.row for part in parts])
    known = keys.request is not None
    request = np.concatenate([part.request for part in parts]) if known else row
    return ScoredLog(rows, row, request, columns)


def _refuse_unreadable(frame: pl.LazyFrame, wanted: Mapping[str, str]) -> None:
    require_columns(frame, wanted)
    schema = frame.collect_schema()
    for name, asker in wanted.items():
        dtype = schema[name]
        if dtype.is_nested() or dtype in {pl.Binary, pl.Duration}:
            raise DataError(
                f"{asker} {name}: the column holds {dtype}, which is not one value to read.",
                hint="Give a column with one number or text per row.",
            )


def refuse_another_log(folder: RunFolder, config: RunConfig) -> None:
    """Refuse to look for the test rows in a log that is not the one of the training.

    Raises:
        RunError: rows were handed over instead of a log, or files came, went or changed in size;
            the splits would be others, and rows of training might be taken for test rows.
    """
    if folder.recorded("log") != log_digest(config):
        raise RunError(
            f"{folder.path}: the log is not as it was when the run was trained, so its splits "
            "cannot be found again.",
            hint="Name the rows to evaluate: --data FILE, or evaluate(rows) in Python.",
        )

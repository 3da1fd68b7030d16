"""Scores for new rows: named columns per task, in the order of the rows."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float
from torch import Tensor

from paretorank.calibration import Calibration
from paretorank.config import RunConfig
from paretorank.data.batch import Batch, make_batch
from paretorank.data.encoded import EncodedRows
from paretorank.data.encoder import Encoder
from paretorank.data.ingest import encode_rows
from paretorank.data.source import join_tables, require_columns
from paretorank.data.splits import ROW_COLUMN
from paretorank.data.stream import stream
from paretorank.data.suitability import refuse_unsuited, refuse_unsuited_keys
from paretorank.foundation.errors import RunError
from paretorank.foundation.files import atomic_path
from paretorank.foundation.progress import Listener, silent
from paretorank.model import MultiTaskRanker, build_model, score_batches
from paretorank.training.checkpoint import load_checkpoint
from paretorank.training.trainer import BEST
from paretorank.workflows.preference import Preferred, preferred_by
from paretorank.workflows.run_folder import RunFolder

SCORE_ROWS = 8192
"""Rows that are scored together."""
MISSING = "missing"
"""The text of a segment column's empty cells."""


def load_model(folder: RunFolder) -> tuple[MultiTaskRanker, Encoder, RunConfig]:
    """Load the best weights of a run, the encoder they were trained with, and the configuration.

    Raises:
        RunError: the folder holds no trained run, or its parts do not belong together.
    """
    config = folder.read_config()
    encoder = folder.read_encoder()
    model = build_model(config.model, encoder.layout, config.tasks, seed=config.training.seed)
    tensors = load_checkpoint(folder.checkpoints / BEST).part("model")
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise RunError(
            f"{folder.path}: the weights do not fit the configuration: {str(error)[:200]}",
            hint="Was config.toml or the encoder changed after training? Train again.",
        ) from None
    model.eval()
    return model, encoder, config


def predict_frame(
    model: MultiTaskRanker,
    encoder: Encoder,
    config: RunConfig,
    rows: pl.LazyFrame,
    *,
    calibration: Calibration | None = None,
    preference: Preferred = None,
    listener: Listener = silent,
) -> pl.DataFrame:
    """Score rows; the result has the keys that the rows have, then one column per task.

    Args:
        model: the network.
        encoder: that it was trained with.
        config: of the run.
        rows: as in the log; no labels are needed.
        calibration: maps that the scores pass through, if any.
        preference: share of each task, or column of the rows that holds it; the model's default
            where absent.
        listener: hears of progress.

    Raises:
        ConfigError: the preference names no task, or the model cannot be told any.
        DataError: the rows are not what the encoder expects, or hold no preference.
    """
    chosen = preferred_by(model, preference)
    segment = calibration.segment if calibration else None
    keys = _keys_in(rows, config)
    frame = join_tables(rows, config.data.joins, config.folder).with_row_index(ROW_COLUMN)
    frame = _with_position(frame, config)
    require_columns(frame, dict.fromkeys(chosen.columns, "--preference-columns"))
    require_columns(frame, encoder.columns)
    require_columns(frame, {segment: "the calibration"} if segment else {})
    refuse_unsuited(encoder.features, frame)
    refuse_unsuited_keys(config.data, config.statistics, frame)
    kept = list(dict.fromkeys([*keys, *([segment] if segment else [])]))
    wanted = list(dict.fromkeys([ROW_COLUMN, *kept, *chosen.columns, *encoder.columns]))
    parts = [frame.select(kept).head(0).collect()]

    def batches() -> Iterator[Batch]:
        for chunk in stream(frame.select(wanted), stage="predict", listener=listener):
            parts.append(chunk.select(kept))
            part = encode_rows(chunk, encoder, config.data)
            yield from batches_of(iter([part]), chosen.of(chunk))

    scores: np.ndarray = score_batches(model, batches())
    read = pl.concat(parts) if kept else pl.DataFrame()
    if calibration:
        texts = segment_texts(read[segment]) if segment else None
        scores = calibration.apply(scores, model.task_names, segment=texts)
    columns = {name: scores[:, at] for at, name in enumerate(model.task_names)}
    clash = set(columns)
    known = read.select([name for name in keys if name not in clash])
    return pl.concat([known, pl.DataFrame(columns)], how="horizontal")


def _keys_in(rows: pl.LazyFrame, config: RunConfig) -> list[str]:
    keys = config.data.keys
    named = dict.fromkeys(filter(None, (keys.user, keys.item, keys.request)))
    there = rows.collect_schema().names()
    return [name for name in named if name in there]


def _with_position(frame: pl.LazyFrame, config: RunConfig) -> pl.LazyFrame:
    """Return rows that have a column for the position, which nobody knows before they are shown."""
    if config.model.position is None:
        return frame
    column = config.features[config.model.position].column or config.model.position
    if column in frame.collect_schema().names():
        return frame
    return frame.with_columns(pl.lit(None, dtype=pl.Float64).alias(column))


def batches_of(
    parts: Iterable[EncodedRows], preference: Float[Tensor, "rows T"] | None = None
) -> Iterator[Batch]:
    """Cut encoded rows into batches for scoring.

    Args:
        parts: the rows.
        preference: one row for all of them, or one for each row of every part.
    """
    for part in parts:
        for at in range(0, len(part), SCORE_ROWS):
            end = min(at + SCORE_ROWS, len(part))
            batch = make_batch(part.slice(at, end))
            if preference is None:
                yield batch
            elif len(preference) == 1:
                yield batch.preferring(preference[0])
            else:
                yield replace(batch, preference=preference[at:end])


def segment_texts(column: pl.Series) -> np.ndarray:
    """Return the values of a segment column as texts, alike for 1 and 1.0.

    The text of a value does not depend on the values beside it.
    """
    if not column.dtype.is_float():
        return column.cast(pl.String).fill_null(MISSING).to_numpy()
    known = column.fill_nan(None)
    whole, texts = known.cast(pl.Int64, strict=False), known.cast(pl.String)
    texts = whole.cast(pl.String).zip_with((whole == known).fill_null(value=False), texts)
    return texts.fill_null(MISSING).to_numpy()


def write_scores(scores: pl.DataFrame, path: Path) -> None:
    """Write scores as Parquet or, if the name ends so, as CSV; a whole file or nothing."""
    with atomic_path(path) as temporary:
        if path.suffix == ".csv":
            scores.write_csv(temporary)
        else:
            scores.write_parquet(temporary)

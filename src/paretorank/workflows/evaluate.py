"""Metrics of a split, or of new data, per task, sample space and segment."""

from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl

from paretorank.config import RunConfig
from paretorank.data.encoded import EncodedRows
from paretorank.data.encoder import Encoder
from paretorank.data.ingest import encode_rows, prepare_frame
from paretorank.data.labels import LABEL_PREFIX
from paretorank.data.loader import Loader
from paretorank.data.shard_reader import ShardSet
from paretorank.data.source import require_columns
from paretorank.data.splits import ROW_COLUMN, SPLIT_COLUMN, SPLITS
from paretorank.data.stream import stream
from paretorank.evaluation import EvaluationResult, ScoredRows, evaluate_rows
from paretorank.foundation.errors import DataError, RunError
from paretorank.foundation.progress import Listener, silent
from paretorank.model import MultiTaskRanker, score_batches
from paretorank.schema import SplitName
from paretorank.workflows.ingest import ingest_request, log_digest
from paretorank.workflows.predict import SCORE_ROWS, batches_of, load_model
from paretorank.workflows.run_folder import RunFolder


def evaluate_run(
    folder: RunFolder,
    *,
    rows: pl.LazyFrame | None = None,
    split: SplitName = "test",
    by: str | None = None,
    n_resamples: int | None = None,
    listener: Listener = silent,
) -> EvaluationResult:
    """Evaluate a finished run on one of its splits or, if given, on new rows with labels.

    The rows are read from the log again and pass through the run's own encoder, as at serving.
    """
    model, encoder, config = load_model(folder)
    if rows is None:
        refuse_another_log(folder, config)
    return evaluate_frame(
        model,
        encoder,
        config,
        rows=rows,
        split=split,
        by=by,
        split_from=folder.split_from,
        n_resamples=n_resamples,
        listener=listener,
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


def evaluate_frame(
    model: MultiTaskRanker,
    encoder: Encoder,
    config: RunConfig,
    *,
    rows: pl.LazyFrame | None = None,
    split: SplitName = "test",
    by: str | None = None,
    split_from: int = 0,
    n_resamples: int | None = None,
    listener: Listener = silent,
) -> EvaluationResult:
    """Evaluate on new rows with labels or, where there are none, on a split of the log.

    `split_from` is that of the prepared data set that the model was trained on.
    """
    request = ingest_request(config, rows, split_from=split_from)
    frame = prepare_frame(request, with_split=rows is None)
    if rows is None:
        frame = frame.filter(pl.col(SPLIT_COLUMN) == SPLITS.index(split))
    needed = [ROW_COLUMN, *encoder.columns, *(LABEL_PREFIX + n for n in model.task_names)]
    needed += [name for name in (config.data.keys.user, config.data.weight, by) if name]
    if by:
        require_columns(frame, {by: "--by"})
        dtype = frame.collect_schema()[by]
        if dtype.is_nested() or dtype in {pl.Binary, pl.Duration}:
            raise DataError(
                f"--by {by}: the column holds {dtype}, which names no segment.",
                hint="Give a column with one value per row.",
            )
    parts: list[EncodedRows] = []
    segments: list[pl.Series] = []

    def encoded() -> Iterator[EncodedRows]:
        chunks = frame.select(list(dict.fromkeys(needed)))
        for chunk in stream(chunks, stage="evaluate", listener=listener):
            part = encode_rows(chunk, encoder, config.data)
            parts.append(part)
            if by:
                segments.append(chunk[by])
            yield part

    scores = score_batches(model, batches_of(encoded()))
    if not len(scores):
        raise DataError(f"The {split} split has no row.", hint="Look at data.split.")
    columns = [encoder.layout.task_names.index(name) for name in model.task_names]
    scored = ScoredRows(
        tuple(config.label_specs()),
        scores,
        np.concatenate([part.labels for part in parts])[:, columns],
        np.concatenate([part.weight for part in parts]) if config.data.weight else None,
        np.concatenate([part.user for part in parts]) if config.data.keys.user else None,
    )
    values = None
    if by:
        column = pl.concat(segments)
        if not column.dtype.is_numeric():  # numbers keep their order
            column = column.cast(pl.String).fill_null("missing")
        values = {by: column.to_numpy()}
    return _evaluate(scored, config, n_resamples, values)


def score_split(
    model: MultiTaskRanker, shards: ShardSet, config: RunConfig, *, listener: Listener = silent
) -> ScoredRows:
    """Score a prepared split."""
    loader = Loader(shards, batch_size=SCORE_ROWS)
    scores = score_batches(model, loader.in_order(), total=len(shards), listener=listener)
    rows = shards.read(0, len(shards))
    return ScoredRows(
        tuple(config.label_specs()),
        scores,
        rows.labels,
        rows.weight if config.data.weight else None,
        rows.user if config.data.keys.user else None,
    )


def evaluate_split(
    model: MultiTaskRanker,
    shards: ShardSet,
    config: RunConfig,
    *,
    scored: ScoredRows | None = None,
    n_resamples: int | None = None,
) -> EvaluationResult:
    """Evaluate a prepared split; `scored` saves scoring it again."""
    return _evaluate(scored or score_split(model, shards, config), config, n_resamples, None)


def _evaluate(
    scored: ScoredRows,
    config: RunConfig,
    n_resamples: int | None,
    segments: Mapping[str, np.ndarray] | None,
) -> EvaluationResult:
    return evaluate_rows(
        scored,
        segments=segments,
        n_resamples=config.evaluation.n_resamples if n_resamples is None else n_resamples,
        confidence=config.evaluation.confidence,
        seed=config.training.seed,
    )

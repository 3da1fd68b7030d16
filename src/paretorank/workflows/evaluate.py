"""Metrics of a split, or of new data, per task, sample space and segment."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from paretorank.calibration import Calibration
from paretorank.config import RunConfig
from paretorank.data.encoder import Encoder
from paretorank.data.loader import Loader
from paretorank.data.shard_reader import ShardSet
from paretorank.evaluation import EvaluationResult, ScoredRows, evaluate_rows
from paretorank.foundation.progress import Listener, silent
from paretorank.model import MultiTaskRanker, score_batches
from paretorank.schema import SplitName
from paretorank.workflows.calibrated import calibrated_rows, read_calibration
from paretorank.workflows.predict import SCORE_ROWS, load_model
from paretorank.workflows.run_folder import RunFolder
from paretorank.workflows.scored_log import refuse_another_log, score_frame


def evaluate_run(
    folder: RunFolder,
    *,
    rows: pl.LazyFrame | None = None,
    split: SplitName = "test",
    by: str | None = None,
    n_resamples: int | None = None,
    is_calibrated: bool = True,
    preference: Mapping[str, float] | None = None,
    listener: Listener = silent,
) -> EvaluationResult:
    """Evaluate a finished run on one of its splits or, if given, on new rows with labels.

    Scores are calibrated if the run has a calibration, unless `is_calibrated` is false.

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
        calibration=read_calibration(folder) if is_calibrated else None,
        preference=preference,
        listener=listener,
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
    calibration: Calibration | None = None,
    preference: Mapping[str, float] | None = None,
    listener: Listener = silent,
) -> EvaluationResult:
    """Evaluate on new rows with labels or, where there are none, on a split of the log.

    `split_from` is that of the prepared data set that the model was trained on; `preference` is the
    model's default where absent.
    """
    columns = {by: "--by"} if by else {}
    if calibration and calibration.segment:
        columns.setdefault(calibration.segment, "the calibration")
    log = score_frame(
        model,
        encoder,
        config,
        rows=rows,
        split=split,
        split_from=split_from,
        columns=columns,
        preference=preference,
        listener=listener,
    )
    segments = {by: readable(log.columns[by])} if by else None
    rows_scored = log.rows if calibration is None else calibrated_rows(log, calibration)
    return _evaluate(rows_scored, config, n_resamples, segments)


def readable(column: pl.Series) -> np.ndarray:
    """Return the values of a segment column; numbers keep their order."""
    if not column.dtype.is_numeric():
        column = column.cast(pl.String).fill_null("missing")
    return column.to_numpy()


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

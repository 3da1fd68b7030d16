"""Every metric of every task, in each of its sample spaces, with intervals.

Shapes: N rows.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Shaped

from paretorank.evaluation.intervals import Interval, bootstrap_intervals
from paretorank.evaluation.result import EVERYTHING, EvaluationResult, Record
from paretorank.evaluation.rows import ScoredRows
from paretorank.evaluation.segments import segments_of
from paretorank.evaluation.views import View, views_of
from paretorank.foundation.seeds import named_generator
from paretorank.metrics import GroupedAUC, Metric, Rows, metrics_of


def evaluate_rows(
    rows: ScoredRows,
    *,
    segments: Mapping[str, Shaped[np.ndarray, " N"]] | None = None,
    n_resamples: int = 200,
    confidence: float = 0.95,
    seed: int = 0,
) -> EvaluationResult:
    """Return the metrics that fit each task's kind, in its own space and on all impressions.

    Args:
        rows: what was scored and what happened.
        segments: columns whose values are judged on their own, beside all rows.
        n_resamples: draws behind each interval; 0 leaves intervals out and is much faster.
        confidence: share of fresh samples of users that an interval should hold.
        seed: the same seed gives the same intervals, whatever else is evaluated.

    Raises:
        DataError: a segment column has too many values to read.
        ValueError: a segment column is not as long as the rows, or an option is out of range.
    """
    columns = segments or {}
    for name, column in columns.items():
        if column.shape != (len(rows),):
            raise ValueError(
                f"`segments[{name!r}]` must have shape ({len(rows)},), got {column.shape}."
            )
    parts = [(EVERYTHING, None), *segments_of(columns)]
    records: list[Record] = []
    for view in views_of(rows):
        for segment, within in parts:
            part = view.rows(within)
            metrics = _measure(view, part)
            intervals = bootstrap_intervals(
                metrics,
                part,
                n_resamples=n_resamples,
                confidence=confidence,
                generator=named_generator(seed, "bootstrap", view.task, view.space, segment),
            )
            records.extend(_records(view, segment, part, metrics, intervals))
    return EvaluationResult.from_records(records)


def _measure(view: View, part: Rows) -> list[Metric]:
    """Return the metrics of the task's kind after they have seen the rows."""
    metrics = [metric() for metric in metrics_of(view.kind, of_means=view.scores_mean)]
    for metric in metrics:
        metric.update_rows(part)
    return metrics


def _records(
    view: View, segment: str, part: Rows, metrics: list[Metric], intervals: list[Interval]
) -> list[Record]:
    """Return one line of the table for each metric."""
    is_binary = view.kind == "binary"
    n_positive = int((part.label == 1.0).sum()) if is_binary else None
    n_users = None if part.group is None else len(np.unique(part.group))
    return [
        {
            "task": view.task,
            "space": view.space,
            "segment": segment,
            "metric": metric.name,
            "value": metric.result(),
            "low": interval.low,
            "high": interval.high,
            "n_rows": len(part),
            "n_positive": n_positive,
            "n_users": n_users,
            "note": _note(metric),
        }
        for metric, interval in zip(metrics, intervals, strict=True)
    ]


def _note(metric: Metric) -> str | None:
    """Return why there is no value, or what the value leaves out."""
    reason = metric.reason()
    if reason is None and isinstance(metric, GroupedAUC):
        n_users = metric.n_users_kept + metric.n_users_skipped
        return f"{metric.n_users_kept} of {n_users} users kept, weighted by {metric.weighting}"
    return reason

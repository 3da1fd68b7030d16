"""A scored split made ready for fusion: columns to fuse, labels, lists, and who saw them.

A task that is labelled on some impressions only, such as a like after a click, is judged on all of
them: where what comes before did not happen, neither did the task.

Shapes: N rows, T columns.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float, Int, Shaped

from paretorank.evaluation import VALUE, ListMeasure, ListMetric, views_of
from paretorank.foundation.errors import DataError
from paretorank.fusion import Formula, FusionScorer
from paretorank.workflows.scored_log import ScoredLog


@dataclass(frozen=True)
class FusionRows:
    """Rows of one split."""

    names: tuple[str, ...]
    """Of the columns: tasks, then columns of the log."""
    scores: Float[np.ndarray, "N T"]
    labels: Mapping[str, Float[np.ndarray, " N"]]
    """By task, and the value; NaN where a label was not observed."""
    request: Int[np.ndarray, " N"]
    """Code of the list."""
    cluster: Int[np.ndarray, " N"]
    """Number of the user, or of the list where users are not known."""

    def fused(self, formula: Formula) -> FusionScorer:
        """Return a formula prepared for these rows."""
        return FusionScorer(formula, self.names, self.scores, self.request)

    def measure(self, metrics: Sequence[ListMetric]) -> ListMeasure:
        """Return metrics prepared for these rows."""
        return ListMeasure(self.request, self.labels, metrics)

    def means(self) -> dict[str, float]:
        """Return the mean size of every column."""
        return dict(zip(self.names, np.abs(self.scores).mean(axis=0).tolist(), strict=True))

    def counts(self) -> dict[str, int]:
        """Return how much there is, and how many lists cannot be sorted otherwise."""
        length = np.unique(self.request, return_counts=True)[1]
        return {
            "rows": len(self.request),
            "lists": len(length),
            "lists of one row": int((length == 1).sum()),
            "users": int(self.cluster.max()) + 1,
        }

    def digest(self) -> str:
        """Return what changes when a score, a label or a list does."""
        digest = hashlib.blake2b(digest_size=16)
        for column in (self.scores, self.request, *self.labels.values()):
            digest.update(np.ascontiguousarray(column).tobytes())
        return digest.hexdigest()


def fusion_rows(
    log: ScoredLog, *, by_request: bool, worth: Mapping[str, float], split: str
) -> FusionRows:
    """Return the rows of a scored log, whose columns are fused beside the scores.

    Args:
        log: knows its users, unless `by_request`.
        by_request: whether requests are known; else every user is a list.
        worth: of the labels that make up the value.
        split: which rows these are, for messages.

    Raises:
        DataError: a column of the log is no number, or has none in a row.
    """
    rows = log.rows
    labels = {view.task: np.asarray(view.label, np.float64) for view in views_of(rows)}
    if worth:
        labels[VALUE] = _value(labels, worth)
    request = log.request if by_request or rows.user is None else rows.user
    owner = request if rows.user is None else rows.user
    extra = [_numbers(log.columns[name], split) for name in log.columns.columns]
    return FusionRows(
        (*(label.name for label in rows.labels), *log.columns.columns),
        np.column_stack([rows.scores.astype(np.float64), *extra]),
        labels,
        request,
        np.unique(owner, return_inverse=True)[1],
    )


def _value(
    labels: Mapping[str, Float[np.ndarray, " N"]], worth: Mapping[str, float]
) -> Float[np.ndarray, " N"]:
    """Return what the labels of each row are worth; what was not observed adds nothing."""
    parts = np.stack([labels[task] * amount for task, amount in worth.items()])
    value = np.nansum(parts, axis=0)
    value[np.isnan(parts).all(axis=0)] = np.nan
    return value


def _numbers(column: pl.Series, split: str) -> Shaped[np.ndarray, " N"]:
    if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        raise DataError(
            f"{column.name}: a formula must read numbers, but the column holds {column.dtype}.",
            hint="Write a numeric column into the log.",
        )
    values = column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    n_missing = int((~np.isfinite(values)).sum())
    if n_missing:
        raise DataError(
            f"{column.name}: a formula must have a number in every row, but {n_missing:,} of "
            f"{len(values):,} {split} rows have none.",
            hint="Fill the column in the log.",
        )
    return values

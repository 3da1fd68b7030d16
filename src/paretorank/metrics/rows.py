"""The rows a metric looks at: observed, of positive weight, and checked.

Shapes: B rows given, N rows kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped


@dataclass(frozen=True)
class Rows:
    """Scores and labels of rows that count, in float64."""

    score: Float[np.ndarray, " N"]
    label: Float[np.ndarray, " N"]
    weight: Float[np.ndarray, " N"]
    group: Shaped[np.ndarray, " N"] | None = None
    """User of each row; None where nobody asked for users."""

    def __len__(self) -> int:
        return len(self.score)


def observed_rows(
    score: np.ndarray,
    label: np.ndarray,
    *,
    weight: np.ndarray | None = None,
    group: np.ndarray | None = None,
) -> Rows:
    """Return the rows whose label is not NaN and whose weight is not zero.

    Raises:
        ValueError: lengths differ, a weight is negative, or a score that counts is not finite.
    """
    score, label = np.asarray(score), np.asarray(label, dtype=np.float64)
    for name, column in (("label", label), ("weight", weight), ("group", group)):
        if column is not None and np.shape(column) != (score.size,):
            raise ValueError(
                f"`{name}` must have shape ({score.size},) like `score`, got {np.shape(column)}."
            )
    weight = np.ones(score.size) if weight is None else np.asarray(weight, dtype=np.float64)
    if not (weight >= 0.0).all():
        raise ValueError(f"`weight` must be at least 0, got {weight[~(weight >= 0.0)][0]}.")
    kept = (weight > 0.0) & ~np.isnan(label)
    every = bool(kept.all())
    score = np.asarray(score if every else score[kept], dtype=np.float64)
    if not np.isfinite(score).all():
        raise ValueError(f"`score` must be finite, got {score[~np.isfinite(score)][0]}.")
    if group is not None:
        group = np.asarray(group)
    if every:
        return Rows(score, label, weight, group)
    return Rows(score, label[kept], weight[kept], None if group is None else group[kept])


def concatenated(parts: Sequence[Rows]) -> Rows:
    """Return all rows of the parts, one after the other.

    Raises:
        ValueError: some parts know their users and some do not.
    """
    groups = [part.group for part in parts if part.group is not None]
    if groups and len(groups) != len(parts):
        raise ValueError("`group` must be given in every update or in none, got a mixture.")
    return Rows(
        score=np.concatenate([np.empty(0), *(part.score for part in parts)]),
        label=np.concatenate([np.empty(0), *(part.label for part in parts)]),
        weight=np.concatenate([np.empty(0), *(part.weight for part in parts)]),
        group=np.concatenate(groups) if groups else None,
    )

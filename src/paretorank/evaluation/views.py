"""The sample spaces in which a task is judged.

A task that is labelled on some impressions only, such as a like after a click, has two: its own
rows, where the model's score means what it was trained to mean, and all impressions, where the
product of the scores along the parents answers the question that ranking asks.

Shapes: N rows of the evaluation, M rows of the space.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from paretorank.evaluation.rows import ScoredRows
from paretorank.metrics import Rows, observed_rows
from paretorank.schema import LabelKind, LabelSpec

ALL_IMPRESSIONS = "impressions"


@dataclass(frozen=True)
class View:
    """One task in one sample space."""

    task: str
    kind: LabelKind
    space: str
    """The rows in words."""
    score: Float[np.ndarray, " N"]
    label: Float[np.ndarray, " N"]
    """NaN outside the sample space."""
    weight: Float[np.ndarray, " N"] | None
    user: Int[np.ndarray, " N"] | None
    scores_mean: bool = True
    """Whether the scores estimate means, so that their sum compares with that of the labels."""

    def rows(self, within: Bool[np.ndarray, " N"] | None = None) -> Rows:
        """Return the rows of the space that count, all or those of a segment."""
        part = slice(None) if within is None else np.flatnonzero(within)
        return observed_rows(
            self.score[part],
            self.label[part],
            weight=None if self.weight is None else self.weight[part],
            group=None if self.user is None else self.user[part],
        )


def views_of(rows: ScoredRows) -> Iterator[View]:
    """Yield each task in its own space and, where parents lead to it, on all impressions."""
    weight = None if rows.weight is None else rows.weight.astype(np.float64)
    for index, label in enumerate(rows.labels):
        own = View(
            task=label.name,
            kind=label.kind,
            space=own_space(label, rows.labels),
            score=rows.scores[:, index],
            label=rows.truth[:, index],
            weight=weight,
            user=rows.user,
            scores_mean=label.scores_mean,
        )
        yield own
        path = rows.path(label.name)
        if len(path) > 1 and all(rows.labels[step].kind == "binary" for step in path):
            names = " and ".join(rows.labels[step].name for step in reversed(path))
            yield View(
                task=label.name,
                kind=label.kind,
                space=f"{ALL_IMPRESSIONS} ({names})",
                score=joint_score(rows.scores, path),
                label=joint_label(rows.truth, path),
                weight=weight,
                user=rows.user,
            )


def own_space(label: LabelSpec, labels: tuple[LabelSpec, ...]) -> str:
    """Return in words where the label is observed."""
    if label.observed_when is None:
        return ALL_IMPRESSIONS
    is_task = any(other.name == label.observed_when for other in labels)
    if is_task or label.observed_when in label.parents:
        return f"rows where {label.observed_when} = 1"
    return f"rows where {label.observed_when}"


def joint_score(scores: Float[np.ndarray, "N T"], path: tuple[int, ...]) -> Float[np.ndarray, " N"]:
    """Return the chance that the task and all its parents happen."""
    return np.prod(scores[:, path], axis=1, dtype=np.float64)


def joint_label(truth: Float[np.ndarray, "N T"], path: tuple[int, ...]) -> Float[np.ndarray, " N"]:
    """Return 0 where anything above did not happen, the own label where all of it did, else NaN."""
    own, above = truth[:, path[0]], truth[:, path[1:]]
    known = np.where((above == 1.0).all(axis=1), own, np.nan)
    return np.where((above == 0.0).any(axis=1), 0.0, known)

"""Scored rows: what an evaluation starts from.

Shapes: N rows, T tasks.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

from paretorank.schema import LabelSpec


@dataclass(frozen=True)
class ScoredRows:
    """Scores beside what happened, for all tasks of a model.

    Raises:
        ValueError: the columns do not fit each other, or the tasks are each other's parents.
    """

    labels: tuple[LabelSpec, ...]
    """The tasks, in the order of the columns of `scores` and `truth`."""
    scores: Float[np.ndarray, "N T"]
    """Probabilities, or expected values in the unit of the label."""
    truth: Float[np.ndarray, "N T"]
    """Labels; NaN where a label was not observed."""
    weight: Shaped[np.ndarray, " N"] | None = None
    """How often a row counts; None is once."""
    user: Int[np.ndarray, " N"] | None = None
    """Code of the user of each row; None where users are not known."""

    def __post_init__(self) -> None:
        table = (len(self.scores), len(self.labels))
        _check_shape("scores", self.scores, table)
        _check_shape("truth", self.truth, table)
        _check_shape("weight", self.weight, table[:1])
        _check_shape("user", self.user, table[:1])
        names = [label.name for label in self.labels]
        if len(set(names)) != len(names):
            raise ValueError(f"`labels` must have different names, got {names}.")
        for name in names:
            self.path(name)

    def __len__(self) -> int:
        return len(self.scores)

    def index(self, task: str) -> int | None:
        """Return the column of a task; None if it was not scored."""
        for index, label in enumerate(self.labels):
            if label.name == task:
                return index
        return None

    def path(self, task: str) -> tuple[int, ...]:
        """Return the columns whose scores multiply to the chance of the task on any impression.

        The path goes from the task through all its parents, parents behind children, and ends at
        tasks that are themselves labelled on every impression: those hold the chance of everything
        above them already. It is empty if a task on the way was not scored.

        Raises:
            ValueError: the tasks are each other's parents.
        """
        found = self._above(task, (), through_all=False)
        if any(self.index(name) is None for name in found):
            return ()
        whole = [name for name in found if self.labels[self._at(name)].observed_when is None]
        held = {above for name in whole for above in self._above(name, (), through_all=True)[1:]}
        return tuple(self._at(name) for name in found if name not in held)

    def _above(self, task: str, below: tuple[str, ...], *, through_all: bool) -> list[str]:
        """Return a task and what is above it, every task behind all of its children."""
        if task in below:
            raise ValueError(f"`labels` must not be their own parents, got a circle at {task}.")
        index = self.index(task)
        found = [task]
        if index is None or not (through_all or self.labels[index].observed_when is not None):
            return found
        for parent in reversed(self.labels[index].parents):
            further = self._above(parent, (*below, task), through_all=through_all)
            found = [name for name in found if name not in further] + further
        return found

    def _at(self, task: str) -> int:
        return [label.name for label in self.labels].index(task)


def _check_shape(name: str, array: np.ndarray | None, wanted: tuple[int, ...]) -> None:
    """Refuse a column that does not fit the rows and tasks; None fits."""
    if array is not None and array.shape != wanted:
        raise ValueError(f"`{name}` must have shape {wanted}, got {array.shape}.")

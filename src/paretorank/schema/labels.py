"""What a column means as something to predict."""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from paretorank.foundation.section import Section

LabelKind = Literal["binary", "regression", "duration", "count", "ordinal"]
ParentNames = str | tuple[str, ...] | None
"""One task, several, or none."""


class LabelSpec(Section):
    """One label: where it stands, of which kind it is, and on which rows it means something."""

    name: str
    """Name of the task."""
    column: str
    """Column of the log."""
    kind: LabelKind
    """binary: 0 or 1; regression: any number; duration: a number >= 0; count: 0, 1, 2, ...;
    ordinal: 0, 1, ..., n_levels - 1"""
    n_levels: PositiveInt | None = None
    """Levels of an ordinal label."""
    parent: ParentNames = None
    """Task, or tasks, without which this one cannot happen."""
    observed_when: str | None = None
    """A task (its label must be 1) or a condition over columns; elsewhere the label is absent."""
    scale: PositiveFloat = 1.0
    """Labels are multiplied by this: 0.001 turns milliseconds into seconds."""
    clip: PositiveFloat | None = None
    """Labels above this (after scaling) are set to it."""
    matures_after: PositiveFloat | None = None
    """Seconds after which a label of 0 is final; it is not observed before."""
    count_early: bool = True
    """Whether other labels are observed before that."""
    keeps_waiting: bool = False
    """Whether the age of rows with a 0 that is not final is kept, for a loss that makes use of
    it; such labels are not observed all the same."""
    scores_mean: bool = Field(default=True, exclude=True)
    """Whether scores estimate the mean of the label, and not a quantile. Not written down, since
    prepared data do not depend on it."""

    @property
    def parents(self) -> tuple[str, ...]:
        """All tasks without which this one cannot happen."""
        return parent_names(self.parent)


def parent_names(parent: ParentNames) -> tuple[str, ...]:
    """Return the names in a key that holds one, several or none."""
    if parent is None:
        return ()
    return (parent,) if isinstance(parent, str) else parent

"""What the configurations of all tasks have."""

from abc import ABC, abstractmethod

from pydantic import NonNegativeFloat, PositiveFloat

from paretorank.foundation.section import Section
from paretorank.losses import Loss
from paretorank.schema.labels import LabelKind, LabelSpec, ParentNames, parent_names


class Task(Section, ABC):
    """What all kinds of tasks have."""

    label: str
    """Column of the log that holds what was observed."""
    parent: ParentNames = None
    """Task without which this one cannot happen, such as click for like; or a list of tasks, all
    of which must happen."""
    observed_when: str | None = None
    """A task (its label must be 1) or a condition over columns; on other rows the label means
    nothing and is used nowhere."""
    weight: NonNegativeFloat = 1.0
    """Fixed factor of the task's weight, whatever the balancer does."""
    scale: PositiveFloat = 1.0
    """Labels are multiplied by this: 0.001 turns milliseconds into seconds."""
    clip: PositiveFloat | None = None
    """Labels above this (after scaling) are set to it."""
    matures_after: PositiveFloat | None = None
    """Seconds that the event may take: on rows younger than that when the log ends (`data.as_of`),
    a label of 0 may still change and is not observed."""
    count_early: bool = True
    """With `matures_after`: whether other labels than 0 are observed on such rows. The youngest
    rows then hold nothing else, and rates come out too high by about their share; false waits."""

    @property
    @abstractmethod
    def label_kind(self) -> LabelKind:
        """Which values a label can take."""

    @abstractmethod
    def build_loss(self, *, n_tasks: int) -> Loss:
        """Return one loss for `n_tasks` tasks that are configured alike."""

    @property
    def waits(self) -> bool:
        """Whether the loss counts rows whose label may still change, by their age."""
        return False

    @property
    def scores_mean(self) -> bool:
        """Whether the scores estimate the mean of the label."""
        return True

    @property
    def reads(self) -> str | None:
        """The numeric feature that the loss reads beside the label; None for most losses."""
        return None

    @property
    def parents(self) -> tuple[str, ...]:
        """All tasks without which this one cannot happen."""
        return parent_names(self.parent)

    def label_spec(self, name: str) -> LabelSpec:
        """Return what the data preparation has to know about the task called `name`."""
        return LabelSpec(
            name=name,
            column=self.label,
            kind=self.label_kind,
            parent=self.parent,
            observed_when=self.observed_when,
            scale=self.scale,
            clip=self.clip,
            matures_after=self.matures_after,
            count_early=self.count_early,
            keeps_waiting=self.waits,
            scores_mean=self.scores_mean,
        )

    def loss_key(self) -> tuple[str | float, ...]:
        """Return what decides which loss is built; tasks with equal keys share one."""
        return (self.label_kind,)

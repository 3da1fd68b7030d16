"""What is predicted: the configuration of one task."""

from abc import ABC, abstractmethod
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat
from typing_extensions import override

from paretorank.foundation.section import Section
from paretorank.losses import (
    BinaryCrossEntropy,
    Huber,
    LogNormal,
    Loss,
    Poisson,
    SquaredError,
    WeightedLogistic,
)
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
        )

    def loss_key(self) -> tuple[str | float, ...]:
        """Return what decides which loss is built; tasks with equal keys share one."""
        return (self.label_kind,)


class BinaryTask(Task):
    """Something that happens or not; scores are probabilities."""

    kind: Literal["binary"] = "binary"

    @property
    @override
    def label_kind(self) -> LabelKind:
        return self.kind

    @override
    def build_loss(self, *, n_tasks: int) -> Loss:
        return BinaryCrossEntropy()


class RegressionTask(Task):
    """Any number; scores are expected values (squared) or robust centres (huber)."""

    kind: Literal["regression"] = "regression"
    loss: Literal["squared", "huber"] = "squared"
    """squared: the mean matters; huber: outliers pull no more than `huber_delta`."""
    huber_delta: PositiveFloat = 1.0
    """Distance from the label, in its unit, beyond which huber grows linearly."""

    @property
    @override
    def label_kind(self) -> LabelKind:
        return self.kind

    @override
    def build_loss(self, *, n_tasks: int) -> Loss:
        return Huber(self.huber_delta) if self.loss == "huber" else SquaredError()

    @override
    def loss_key(self) -> tuple[str | float, ...]:
        return ("huber", self.huber_delta) if self.loss == "huber" else ("squared",)


class DurationTask(Task):
    """Seconds, at least 0; scores are expected seconds."""

    kind: Literal["duration"] = "duration"
    loss: Literal["lognormal", "weighted_logistic"] = "lognormal"
    """lognormal: models the logarithm, so relative errors count alike; weighted_logistic: odds are
    the mean duration, without assuming a distribution."""
    shift_s: PositiveFloat = 1.0
    """Seconds added before the logarithm, so that zero durations are allowed (lognormal)."""

    @property
    @override
    def label_kind(self) -> LabelKind:
        return self.kind

    @override
    def build_loss(self, *, n_tasks: int) -> Loss:
        if self.loss == "weighted_logistic":
            return WeightedLogistic(n_tasks)
        return LogNormal(n_tasks, shift=self.shift_s)

    @override
    def loss_key(self) -> tuple[str | float, ...]:
        return (self.loss, self.shift_s) if self.loss == "lognormal" else (self.loss,)


class CountTask(Task):
    """0, 1, 2, ...; scores are expected counts."""

    kind: Literal["count"] = "count"
    loss: Literal["poisson"] = "poisson"
    """poisson: the variance is taken to equal the mean."""

    @property
    @override
    def label_kind(self) -> LabelKind:
        return self.kind

    @override
    def build_loss(self, *, n_tasks: int) -> Loss:
        return Poisson()


TaskConfig = Annotated[
    BinaryTask | RegressionTask | DurationTask | CountTask, Field(discriminator="kind")
]

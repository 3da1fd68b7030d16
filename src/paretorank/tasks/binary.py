"""What happens or not: the configuration of a binary task."""

from typing import Literal

from pydantic import PositiveFloat, model_validator
from typing_extensions import override

from paretorank.foundation.section import Section
from paretorank.losses import (
    BinaryCrossEntropy,
    DelayedFeedback,
    JointRankingCalibration,
    Listwise,
    Loss,
    Pairwise,
)
from paretorank.schema.labels import LabelKind
from paretorank.tasks.base import Task


class RankingConfig(Section):
    """A loss that compares the rows of a request, beside the cross-entropy."""

    kind: Literal["pairwise", "listwise", "jrc"]
    """pairwise: logistic loss of positive against negative rows; listwise: softmax of the positives
    over the request; jrc: two logits per row, that rank and calibrate together."""
    weight: PositiveFloat = 0.1
    """Factor of the ranking loss; the cross-entropy has 1."""


class DelayConfig(Section):
    """How long an event takes, if it comes."""

    mean_delay_s: PositiveFloat
    """Mean of the exponential delay between a row and its event, in seconds, before what is later
    than `matures_after` is cut off."""


class BinaryTask(Task):
    """Something that happens or not; scores are probabilities."""

    kind: Literal["binary"] = "binary"
    ranking: RankingConfig | None = None
    """A ranking loss within requests, such as { kind = "pairwise", weight = 0.1 }; needs
    training.loader.shuffle = "requests", so that the rows of a request come together."""
    delayed_feedback: DelayConfig | None = None
    """With `matures_after`: let a 0 that may still change count as far as it has waited, such as
    { mean_delay_s = 86400 }; where absent, it is not observed. It counts in training alone."""

    @model_validator(mode="after")
    def _delays_have_an_end(self) -> "BinaryTask":
        if self.delayed_feedback is None:
            return self
        if self.matures_after is None or not self.count_early:
            raise ValueError("delayed_feedback needs matures_after, with count_early = true")
        if self.ranking is not None:
            raise ValueError("delayed_feedback and ranking cannot be combined")
        return self

    @property
    @override
    def waits(self) -> bool:
        return self.delayed_feedback is not None

    @property
    @override
    def label_kind(self) -> LabelKind:
        return self.kind

    @override
    def build_loss(self, *, n_tasks: int) -> Loss:
        if self.delayed_feedback is not None and self.matures_after is not None:
            return DelayedFeedback(self.delayed_feedback.mean_delay_s, self.matures_after)
        if self.ranking is None:
            return BinaryCrossEntropy()
        match self.ranking.kind:
            case "pairwise":
                return Pairwise(self.ranking.weight)
            case "listwise":
                return Listwise(self.ranking.weight)
            case "jrc":
                return JointRankingCalibration(self.ranking.weight)

    @override
    def loss_key(self) -> tuple[str | float, ...]:
        if self.delayed_feedback is not None and self.matures_after is not None:
            return ("delayed", self.delayed_feedback.mean_delay_s, self.matures_after)
        if self.ranking is None:
            return (self.label_kind,)
        return (self.ranking.kind, self.ranking.weight)

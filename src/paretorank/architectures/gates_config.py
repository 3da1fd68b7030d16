"""The hyper-parameters that all softmax gates have."""

from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveFloat

from paretorank.blocks import GateSoftmax
from paretorank.foundation.section import Section


class GatesConfig(Section):
    """How gates weigh experts, and what keeps them from collapsing."""

    temperature: PositiveFloat = 1.0
    """Divides the logits; above 1 the weights are nearer to uniform, and gates polarise less."""
    dropout_rate: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Share of the experts that each gate must do without on a row while training. The weights of
    the others still sum to 1, and at least one expert stays."""
    expert_dropout_rate: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Share of the experts that all gates must do without on a row while training."""
    load_balance: NonNegativeFloat = 0.0
    """Factor of the squared coefficient of variation of the experts' use over all gates, which is
    added to the loss; 0.01 is usual (Shazeer et al., ICLR 2017). Revives dead experts."""
    entropy: NonNegativeFloat = 0.0
    """Factor of 1 minus the mean entropy of the gates in units of its maximum, which is added to
    the loss. Keeps each gate from resting on a single expert."""

    def build_softmax(self) -> GateSoftmax:
        """Return what turns logits into weights."""
        return GateSoftmax(
            temperature=self.temperature,
            dropout_rate=self.dropout_rate,
            expert_dropout_rate=self.expert_dropout_rate,
            load_balance=self.load_balance,
            entropy=self.entropy,
        )

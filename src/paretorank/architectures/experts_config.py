"""The hyper-parameters that all mixtures of experts have."""

from typing import Annotated

import torch
from pydantic import Field, PositiveInt

from paretorank.architectures.base import ArchitectureSection
from paretorank.blocks import Activation, ExpertBank


class ExpertsConfig(ArchitectureSection):
    """Experts that all tasks share."""

    n_experts: PositiveInt = 8
    """Number of experts; 4 to 8 are usual."""
    expert_dims: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (256, 128)
    """Widths of the layers of each expert; the last one is what the towers read."""
    activation: Activation = "relu"
    """Applied after each layer of an expert."""
    dropout_rate: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Share of the units of each layer that are dropped while training."""

    def build_experts(self, *, in_dim: int, generator: torch.Generator) -> ExpertBank:
        """Return the experts with initial values drawn from `generator`."""
        return ExpertBank(
            in_dim,
            self.expert_dims,
            self.n_experts,
            generator=generator,
            activation=self.activation,
            dropout_rate=self.dropout_rate,
        )

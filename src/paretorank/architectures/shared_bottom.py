"""Shared-Bottom: one network for all tasks, below their towers.

Source: Caruana, Multitask Learning, Machine Learning 1997.
Shapes: B rows, T tasks, D input width, H output width.
"""

from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from typing_extensions import override

from paretorank.architectures.base import Architecture, ArchitectureSection, Represented
from paretorank.blocks import MLP, NO_EXTRAS, Activation, Extras, Rows


class SharedBottomConfig(ArchitectureSection):
    """Hyper-parameters of Shared-Bottom."""

    kind: Literal["shared_bottom"] = "shared_bottom"
    hidden_dims: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (256, 128)
    """Widths of the layers; the last one is what the towers read."""
    activation: Activation = "relu"
    """Applied after each layer."""
    dropout_rate: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Share of the units of each layer that are dropped while training."""

    def build(self, *, in_dim: int, n_tasks: int, generator: torch.Generator) -> "SharedBottom":
        """Return the network with initial values drawn from `generator`."""
        return SharedBottom(self, in_dim=in_dim, n_tasks=n_tasks, generator=generator)


class SharedBottom(Architecture):
    """All tasks read the same representation."""

    def __init__(
        self, config: SharedBottomConfig, *, in_dim: int, n_tasks: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.bottom = MLP(
            in_dim,
            config.hidden_dims,
            generator=generator,
            activation=config.activation,
            dropout_rate=config.dropout_rate,
        )
        self.n_tasks = n_tasks
        self.out_dim = self.bottom.out_dim

    @override
    def forward(self, x: Rows, extras: Extras = NO_EXTRAS) -> Float[Tensor, "B T H"]:
        return self.represent(x, extras).h

    @override
    def represent(self, x: Rows, extras: Extras = NO_EXTRAS) -> Represented:
        h: Tensor = self.bottom(x)
        shared = h.unsqueeze(1)
        ones = h.new_ones(1, self.n_tasks, 1)
        return Represented(shared.expand(-1, self.n_tasks, -1), shared, ones)

    @override
    def shared_parameters(self) -> list[nn.Parameter]:
        return list(self.bottom.parameters())

    @override
    def gate_weights(self, x: Rows, extras: Extras = NO_EXTRAS) -> None:
        return None

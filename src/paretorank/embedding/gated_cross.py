"""GDCN: cross layers with a gate on each product, so that useless ones can be left out.

Source: Wang et al., Towards Deeper, Lighter and Interpretable Cross Network for CTR Prediction,
    CIKM 2023 (gated cross layer); stacked: the result takes the place of the input.
x' = x0 * (W x + b) * sigmoid(V x) + x; an open gate makes it a layer of DCN-V2.
We deviate: the gate has a constant term as the map has one.
Shapes: B rows, D input width.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import PositiveInt
from torch import Tensor, nn
from typing_extensions import override

from paretorank.blocks import Linear
from paretorank.embedding.interaction import InputField, Interaction
from paretorank.foundation.section import Section


class GatedConfig(Section):
    """Hyper-parameters of the gated cross network."""

    kind: Literal["gated"] = "gated"
    n_layers: PositiveInt = 2
    """Number of gated cross layers."""

    def build(
        self, *, in_dim: int, fields: Sequence[InputField], generator: torch.Generator
    ) -> "GatedCrossNetwork":
        """Return the network with initial values drawn from `generator`."""
        del fields
        return GatedCrossNetwork(self, in_dim=in_dim, generator=generator)


class GatedCrossNetwork(Interaction):
    """Gated cross layers, one after another."""

    def __init__(self, config: GatedConfig, *, in_dim: int, generator: torch.Generator) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            Linear(in_dim, in_dim, generator=generator) for _ in range(config.n_layers)
        )
        self.gates = nn.ModuleList(
            Linear(in_dim, in_dim, generator=generator) for _ in range(config.n_layers)
        )
        self.out_dim = in_dim

    @override
    def forward(self, x: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        crossed = x
        for layer, gate in zip(self.layers, self.gates, strict=True):
            crossed = torch.addcmul(crossed, x * layer(crossed), gate(crossed).sigmoid())
        return crossed

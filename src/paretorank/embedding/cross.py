"""DCN-V2: layers that multiply the input with linear maps of itself.

Source: Wang et al., DCN V2: Improved Deep & Cross Network and Practical Lessons for Web-scale
    Learning to Rank Systems, WWW 2021, equations 1 (cross layer) and 2 (low rank); stacked, as in
    figure 1a: the result takes the place of the input.
x' = x0 * (W x + b) + x. Each layer raises the highest order of the products by one.
Shapes: B rows, D input width.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import PositiveInt
from torch import Tensor, nn
from typing_extensions import override

from paretorank.blocks import Linear, uniform_parameter
from paretorank.embedding.interaction import InputField, Interaction
from paretorank.foundation.section import Section


class DCNv2Config(Section):
    """Hyper-parameters of DCN-V2."""

    kind: Literal["dcn_v2"] = "dcn_v2"
    n_layers: PositiveInt = 2
    """Number of cross layers; products of up to one more input than that."""
    rank: PositiveInt | None = None
    """Width of a bottleneck in each layer's map, which then has 2 * D * rank weights instead of
    D * D; the paper takes a quarter of D. None: the whole matrix."""

    def build(
        self, *, in_dim: int, fields: Sequence[InputField], generator: torch.Generator
    ) -> "CrossNetwork":
        """Return the network with initial values drawn from `generator`."""
        del fields
        return CrossNetwork(self, in_dim=in_dim, generator=generator)


class CrossNetwork(Interaction):
    """Cross layers, one after another."""

    def __init__(self, config: DCNv2Config, *, in_dim: int, generator: torch.Generator) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            _map(in_dim, config.rank, generator) for _ in range(config.n_layers)
        )
        self.out_dim = in_dim

    @override
    def forward(self, x: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        crossed = x
        for layer in self.layers:
            crossed = torch.addcmul(crossed, x, layer(crossed))
        return crossed


def _map(in_dim: int, rank: int | None, generator: torch.Generator) -> nn.Module:
    if rank is None:
        return Linear(in_dim, in_dim, generator=generator)
    return nn.Sequential(
        _Projection(in_dim, rank, generator=generator), Linear(rank, in_dim, generator=generator)
    )


class _Projection(nn.Module):
    """A linear map without a constant term."""

    def __init__(self, in_dim: int, out_dim: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = uniform_parameter(out_dim, in_dim, fan_in=in_dim, generator=generator)

    def forward(self, x: Float[Tensor, "B D"]) -> Float[Tensor, "B R"]:
        return x @ self.weight.t()

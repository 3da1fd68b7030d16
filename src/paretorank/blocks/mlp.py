"""A multi-layer perceptron."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from paretorank.blocks.activations import ACTIVATIONS, Activation
from paretorank.blocks.dropout import Dropout
from paretorank.blocks.grouped_rows import GroupedRows
from paretorank.blocks.linear import Linear


class MLP(nn.Module):
    """Linear layers, each followed by its activation, the last one too."""

    def __init__(
        self,
        in_dim: int,
        hidden_dims: Sequence[int],
        *,
        generator: torch.Generator,
        activation: Activation = "relu",
        dropout_rate: float = 0.0,
    ) -> None:
        super().__init__()
        in_dims = (in_dim, *hidden_dims)
        self.layers = nn.ModuleList(
            Linear(d, h, generator=generator)
            for d, h in zip(in_dims[:-1], hidden_dims, strict=True)
        )
        self.dropouts = nn.ModuleList(Dropout(dropout_rate) for _ in hidden_dims)
        self.activation = activation
        self.out_dim = in_dims[-1]
        """Width of the output: the input's own without hidden layers."""

    def forward(self, x: Float[Tensor, "*rows D"] | GroupedRows) -> Float[Tensor, "*rows H"]:
        """Return the activations of the last layer; `x` itself without layers."""
        activate = ACTIVATIONS[self.activation]
        h = x
        for layer, dropout in zip(self.layers, self.dropouts, strict=True):
            h = dropout(activate(layer(h)))
        return h.whole() if isinstance(h, GroupedRows) else h

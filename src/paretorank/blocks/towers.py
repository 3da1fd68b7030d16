"""One tower per task, all computed together.

Shapes: B rows, T tasks, H width of the representation and of the hidden layers, O outputs of all
tasks side by side.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from paretorank.blocks.activations import ACTIVATIONS, Activation
from paretorank.blocks.dropout import Dropout
from paretorank.blocks.linear import uniform_parameter


class TowerBank(nn.Module):
    """The hidden layers of multi-layer perceptrons beside each other."""

    def __init__(
        self,
        in_dim: int,
        hidden_dims: Sequence[int],
        n_tasks: int,
        *,
        generator: torch.Generator,
        activation: Activation = "relu",
        dropout_rate: float = 0.0,
    ) -> None:
        super().__init__()
        in_dims = (in_dim, *hidden_dims)
        self.weights = nn.ParameterList(
            uniform_parameter(n_tasks, d, h, fan_in=d, generator=generator)
            for d, h in zip(in_dims[:-1], hidden_dims, strict=True)
        )
        self.biases = nn.ParameterList(
            uniform_parameter(n_tasks, 1, h, fan_in=d, generator=generator)
            for d, h in zip(in_dims[:-1], hidden_dims, strict=True)
        )
        self.dropouts = nn.ModuleList(Dropout(dropout_rate) for _ in hidden_dims)
        self.activation = activation
        self.out_dim = in_dims[-1]

    def forward(self, h: Float[Tensor, "B T D"]) -> Float[Tensor, "B T H"]:
        """Return the last hidden layer of every task; `h` itself without hidden layers."""
        activate = ACTIVATIONS[self.activation]
        h_TBH = h.transpose(0, 1)
        for weight, bias, dropout in zip(self.weights, self.biases, self.dropouts, strict=True):
            h_TBH = dropout(activate(_layer(h_TBH, weight, bias)))
        return h_TBH.transpose(0, 1)


def _layer(
    h: Float[Tensor, "T B D"], weight: Float[Tensor, "T D H"], bias: Float[Tensor, "T 1 H"]
) -> Float[Tensor, "T B H"]:
    if h.stride(0) or len(h) == 1:
        return torch.baddbmm(bias, h, weight)
    # All tasks read the same representation: one product, and nothing is copied for each of them.
    flat = torch.addmm(bias.flatten(), h[0], weight.transpose(0, 1).flatten(1))
    return flat.view(len(flat), len(weight), -1).transpose(0, 1)

"""One tower per task, all computed together.

Shapes: B rows, T tasks, H width of the representation and of the hidden layers.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from paretorank.blocks.activations import ACTIVATIONS, Activation
from paretorank.blocks.dropout import Dropout
from paretorank.blocks.linear import uniform_parameter


class TowerBank(nn.Module):
    """Multi-layer perceptrons beside each other that end in one logit per task."""

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
        last = in_dims[-1]
        self.logit_weight = uniform_parameter(n_tasks, last, 1, fan_in=last, generator=generator)
        self.logit_bias = nn.Parameter(torch.zeros(n_tasks))
        self.activation = activation

    def forward(self, h: Float[Tensor, "B T H"]) -> Float[Tensor, "B T"]:
        """Return one logit per row and task; without hidden layers the heads are linear."""
        activate = ACTIVATIONS[self.activation]
        h_TBH = h.transpose(0, 1)
        for weight, bias, dropout in zip(self.weights, self.biases, self.dropouts, strict=True):
            h_TBH = dropout(activate(_layer(h_TBH, weight, bias)))
        logits_TB = torch.baddbmm(self.logit_bias[:, None, None], h_TBH, self.logit_weight)
        return logits_TB.squeeze(2).t()

    def set_bias(self, values: Float[Tensor, " T"]) -> None:
        """Set the last bias of every task, such as to the logit of the best constant model."""
        if values.shape != self.logit_bias.shape:
            expected, got = tuple(self.logit_bias.shape), tuple(values.shape)
            raise ValueError(f"`values` must have shape {expected}, got {got}.")
        with torch.no_grad():
            self.logit_bias.copy_(values)


def _layer(
    h: Float[Tensor, "T B D"], weight: Float[Tensor, "T D H"], bias: Float[Tensor, "T 1 H"]
) -> Float[Tensor, "T B H"]:
    if h.stride(0) or len(h) == 1:
        return torch.baddbmm(bias, h, weight)
    # All tasks read the same representation: one product, and nothing is copied for each of them.
    flat = torch.addmm(bias.flatten(), h[0], weight.transpose(0, 1).flatten(1))
    return flat.unflatten(1, (len(weight), -1)).transpose(0, 1)

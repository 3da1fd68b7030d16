"""Many experts of one shape, computed together.

The first layers of all experts are one matrix product, since they read the same input; every later
layer is one batched product. There is no loop over experts.
Shapes: B rows, D input width, E experts, H width of a layer.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from paretorank.blocks.activations import ACTIVATIONS, Activation
from paretorank.blocks.dropout import Dropout
from paretorank.blocks.grouped_rows import Rows, linear
from paretorank.blocks.linear import uniform_parameter
from paretorank.blocks.relu_stack import relu_stack


class ExpertBank(nn.Module):
    """Multi-layer perceptrons beside each other; the initial values of no two experts agree."""

    def __init__(
        self,
        in_dim: int,
        hidden_dims: Sequence[int],
        n_experts: int,
        *,
        generator: torch.Generator,
        activation: Activation = "relu",
        dropout_rate: float = 0.0,
    ) -> None:
        super().__init__()
        if not hidden_dims:
            raise ValueError("`hidden_dims` must name at least one layer, got none.")
        first, *later = hidden_dims
        stacked = n_experts * first
        self.first_weight = uniform_parameter(stacked, in_dim, fan_in=in_dim, generator=generator)
        """Rows `e * H ... (e + 1) * H` belong to expert `e`."""
        self.first_bias = uniform_parameter(stacked, fan_in=in_dim, generator=generator)
        self.weights = nn.ParameterList(
            uniform_parameter(n_experts, d, h, fan_in=d, generator=generator)
            for d, h in zip(hidden_dims[:-1], later, strict=True)
        )
        self.biases = nn.ParameterList(
            uniform_parameter(n_experts, 1, h, fan_in=d, generator=generator)
            for d, h in zip(hidden_dims[:-1], later, strict=True)
        )
        self.dropouts = nn.ModuleList(Dropout(dropout_rate) for _ in hidden_dims)
        self._dropout_rate = dropout_rate
        self.activation = activation
        self.n_experts = n_experts
        self.out_dim = hidden_dims[-1]

    def forward(self, x: Rows) -> Float[Tensor, "B E H"]:
        """Return the activations of every expert's last layer.

        In memory the result lies expert by expert: `result.transpose(0, 1)` is contiguous as soon
        as there are two layers.
        """
        h = linear(x, self.first_weight, self.first_bias)
        if self.activation == "relu" and self.weights and not self._drops:
            return relu_stack(h, list(self.weights), list(self.biases), self.n_experts).transpose(
                0, 1
            )
        activate = ACTIVATIONS[self.activation]
        h = activate(h)
        h_EBH = self.dropouts[0](h).unflatten(1, (self.n_experts, -1)).transpose(0, 1)
        for weight, bias, dropout in zip(
            self.weights, self.biases, list(self.dropouts)[1:], strict=True
        ):
            h_EBH = dropout(activate(torch.baddbmm(bias, h_EBH, weight)))
        return h_EBH.transpose(0, 1)

    @property
    def _drops(self) -> bool:
        return self.training and self._dropout_rate > 0

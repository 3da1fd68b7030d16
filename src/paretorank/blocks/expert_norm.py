"""Batch normalisation of every unit of every expert.

Source: Ioffe and Szegedy, Batch Normalization, ICML 2015, algorithms 1 and 2.
We deviate: a batch of one row has no variance, so it is normalised with the running statistics;
they move in training passes with gradients only, not when losses are merely looked at.
Shapes: E experts, B rows, H width.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from typing_extensions import override

EPSILON = 1e-5  # guards the division by the deviation of a unit that never changes
MOMENTUM = 0.1  # share of the newest batch in the running statistics


class ExpertNorm(nn.Module):
    """Gives each unit mean 0 and variance 1 over the rows, then a learned scale and shift."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, n_experts: int, width: int) -> None:
        super().__init__()
        shape = (n_experts, 1, width)
        self.weight = nn.Parameter(torch.ones(shape))
        self.bias = nn.Parameter(torch.zeros(shape))
        self.register_buffer("running_mean", torch.zeros(shape))
        self.register_buffer("running_var", torch.ones(shape))

    @override
    def forward(self, h: Float[Tensor, "E B H"]) -> Float[Tensor, "E B H"]:
        """Return the normalised activations."""
        n_rows = h.shape[1]
        if not self.training or n_rows == 1:
            mean, var = self.running_mean, self.running_var
        else:
            var, mean = torch.var_mean(h, dim=1, correction=0, keepdim=True)
            if torch.is_grad_enabled():
                with torch.no_grad():
                    self.running_mean.lerp_(mean, MOMENTUM)
                    self.running_var.lerp_(var * (n_rows / (n_rows - 1)), MOMENTUM)
        scale = self.weight * (var + EPSILON).rsqrt()
        return h * scale + (self.bias - mean * scale)

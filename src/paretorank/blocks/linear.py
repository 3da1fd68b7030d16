"""Linear layers that are initialised from a generator of the caller, never from the global one."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from paretorank.blocks.grouped_rows import GroupedRows, linear


def uniform_parameter(*shape: int, fan_in: int, generator: torch.Generator) -> nn.Parameter:
    """Return a parameter drawn from U(-1/sqrt(fan_in), 1/sqrt(fan_in)), as `nn.Linear` does."""
    bound = 1.0 / math.sqrt(fan_in)
    return nn.Parameter(torch.empty(*shape).uniform_(-bound, bound, generator=generator))


class Linear(nn.Module):
    """An affine map of the last axis; like `nn.Linear`, but with a generator of its own."""

    def __init__(self, in_dim: int, out_dim: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = uniform_parameter(out_dim, in_dim, fan_in=in_dim, generator=generator)
        self.bias = uniform_parameter(out_dim, fan_in=in_dim, generator=generator)

    def forward(self, x: Float[Tensor, "*rows D"] | GroupedRows) -> Float[Tensor, "*rows H"]:
        """Return `x @ weight.T + bias`."""
        return linear(x, self.weight, self.bias)

"""A linear layer whose rows do not start a power of two apart.

Layers of experts are often 1024, 2048 or 4096 columns wide together. The rows of one expert then
lie in few sets of the processor's cache, and products that read or write its columns are slower
than they need be. A line of the cache behind every row spreads them.
Shapes: B rows, D input width, H output width.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from paretorank.blocks.autocast import autocast_inputs
from paretorank.blocks.engine import wants_any

_CACHE_LINE = 64  # bytes


def padded_linear(
    x: Float[Tensor, "B D"], weight: Float[Tensor, "H D"], bias: Float[Tensor, " H"]
) -> Float[Tensor, "B H"]:
    """Return `x @ weight.T + bias`; its rows are further apart than they are long."""
    result: Tensor = _PaddedLinear.apply(*autocast_inputs(x, weight, bias))  # type: ignore[no-untyped-call]
    return result


class _PaddedLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        distance = len(weight) + _CACHE_LINE // x.element_size()
        rows = x.new_empty_strided((len(x), len(weight)), (distance, 1))
        return torch.addmm(bias, x, weight.t(), out=rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x = grad @ weight if wants_any(ctx.next_functions[:1]) else None
        if not wants_any(ctx.next_functions[1:]):
            return of_x, None, None
        return of_x, grad.t() @ x, grad.sum(dim=0)

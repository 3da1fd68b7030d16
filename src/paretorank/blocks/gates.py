"""Many linear gates, computed together.

Source: Ma et al., Modeling Task Relationships in Multi-task Learning with Multi-gate
    Mixture-of-Experts, KDD 2018, section 4.2 (linear gates without bias).
Shapes: B rows, D input width, G gates, E experts, H expert width.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from typing_extensions import override

from paretorank.blocks.autocast import autocast_inputs
from paretorank.blocks.grouped_rows import GroupedRows, Rows, linear

_FEW_GATES = 4  # with more, a batched product beats one pass over the experts per gate
INIT_STD = 0.01  # small, so that every gate starts near the plain mean of the experts


class GateBank(nn.Module):
    """One linear map from the input to a logit per gate and expert."""

    def __init__(
        self, in_dim: int, n_experts: int, n_gates: int, *, generator: torch.Generator
    ) -> None:
        super().__init__()
        weight = torch.empty(n_gates * n_experts, in_dim).normal_(0, INIT_STD, generator=generator)
        self.weight = nn.Parameter(weight)
        """Row `g * E + e` scores expert `e` for gate `g`."""
        self.n_experts = n_experts

    @override
    def forward(self, x: Rows | Float[Tensor, "G B D"]) -> Float[Tensor, "B G E"]:
        """Return logits; a softmax over the last axis makes them weights.

        Args:
            x: the input of all gates, or one input for each gate.
        """
        if isinstance(x, GroupedRows) or x.ndim == 2:  # noqa: PLR2004 - a matrix
            return linear(x, self.weight).view(len(x), -1, self.n_experts)
        by_gate = self.weight.view(len(x), self.n_experts, -1)
        return torch.bmm(x, by_gate.mT).transpose(0, 1)


def mix_experts(
    weights: Float[Tensor, "B G E"], experts: Float[Tensor, "B E H"]
) -> Float[Tensor, "B G H"]:
    """Return the weighted sum of the experts for every gate.

    Fastest where the experts lie one after another in memory, as an `ExpertBank` returns them.
    """
    result: Tensor = _Mix.apply(*autocast_inputs(weights, experts))  # type: ignore[no-untyped-call]
    return result


class _Mix(torch.autograd.Function):
    """A batched product whose gradient of the experts is written expert by expert."""

    @staticmethod
    def forward(ctx: Any, weights: Tensor, experts: Tensor) -> Tensor:
        ctx.save_for_backward(weights, experts)
        return torch.bmm(weights, experts)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        weights, experts = ctx.saved_tensors
        of_weights = torch.bmm(grad, experts.mT)
        if weights.shape[1] > _FEW_GATES:
            return of_weights, torch.bmm(weights.mT, grad)
        shares = weights.permute(1, 2, 0).unsqueeze(-1)  # [G, E, B, 1]
        of_experts = shares[0] * grad[:, 0]
        for gate in range(1, len(shares)):
            of_experts.addcmul_(shares[gate], grad[:, gate])
        return of_weights, of_experts.transpose(0, 1)

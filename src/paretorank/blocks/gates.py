"""Many linear gates over the same experts, computed together.

Source: Ma et al., Modeling Task Relationships in Multi-task Learning with Multi-gate
    Mixture-of-Experts, KDD 2018, section 4.2 (linear gates without bias).
Shapes: B rows, D input width, G gates, E experts, H expert width.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from paretorank.blocks.grouped_rows import Rows, linear

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

    def forward(self, x: Rows) -> Float[Tensor, "B G E"]:
        """Return logits; a softmax over the last axis makes them weights."""
        logits = linear(x, self.weight)
        return logits.view(len(x), -1, self.n_experts)


def mix_experts(
    weights: Float[Tensor, "B G E"], experts: Float[Tensor, "B E H"]
) -> Float[Tensor, "B G H"]:
    """Return the weighted sum of the experts for every gate."""
    return torch.bmm(weights, experts)

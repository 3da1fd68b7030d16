"""The policy of PAPERec: task weights out of a row's state.

Source: Xie et al., Personalized Approximate Pareto-Efficient Recommendation, WWW 2021 (a softmax
    over tasks). Bounds as in Lin et al., RecSys 2019 (PE-LTR), limited logits, and what happens to
    tasks that are not observed are our construction.
Shapes: B rows, T tasks, S width of a row's state.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from paretorank.blocks import MLP
from paretorank.blocks.linear import Linear

LARGEST_LOGIT = 6.0  # a share of e^-12 at least: a softmax that is certain would never learn again


class Policy(nn.Module):
    """Weights that keep to their bounds and sum to 1 over observed tasks; equal at first."""

    bounds: Tensor

    def __init__(
        self,
        state_dim: int,
        hidden_dims: Sequence[int],
        bounds: Float[Tensor, " T"],
        *,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.body = MLP(state_dim, hidden_dims, generator=generator)
        self.head = Linear(self.body.out_dim, len(bounds), generator=generator)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.register_buffer("bounds", bounds.to(self.head.weight))

    def forward(
        self, state: Float[Tensor, "B S"], observed: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B T"]:
        """Return weights; all 0 for a row without an observed task."""
        logits = LARGEST_LOGIT * torch.tanh(self.head(self.body(state)) / LARGEST_LOGIT)
        nothing = ~observed.any(dim=1, keepdim=True)
        shares = logits.masked_fill(~(observed | nothing), -torch.inf).softmax(dim=1)
        return self._bounded(shares, observed)

    def explored(
        self,
        weights: Float[Tensor, "B T"],
        observed: Bool[Tensor, "B T"],
        share: float,
        *,
        generator: torch.Generator,
    ) -> Float[Tensor, "B T"]:
        """Return the weights mixed with a share of ones from Dirichlet(1), inside the bounds."""
        drawn = torch.empty(weights.shape).exponential_(generator=generator).to(weights)
        drawn = torch.where(observed, drawn, 0.0)
        total = drawn.sum(dim=1, keepdim=True).clamp(min=torch.finfo(drawn.dtype).tiny)
        return (1 - share) * weights + share * self._bounded(drawn / total, observed)

    def _bounded(
        self, shares: Float[Tensor, "B T"], observed: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B T"]:
        lowest = torch.where(observed, self.bounds, 0.0)
        free = (1 - lowest.sum(dim=1, keepdim=True)).clamp(min=0.0)
        return torch.where(observed, lowest + free * shares, 0.0)

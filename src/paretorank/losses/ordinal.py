"""Cumulative logits for levels that have an order, such as stars.

Source: McCullagh, Regression Models for Ordinal Data, Journal of the Royal Statistical Society B
    1980 (proportional odds): P(level > k) = sigmoid(logit - c_k), one logit per row
    and thresholds c_0 < c_1 < ... per task.
Shapes: T tasks, K levels.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from typing_extensions import override

from paretorank.losses.base import RARE, Loss, weighted_mean

SMALLEST_GAP = 1e-6  # between thresholds: no level is impossible


class Ordinal(Loss):
    """The negative log-likelihood of a level 0 ... K - 1; the score is the expected level."""

    balance_factor: ClassVar[float] = 1.0

    def __init__(self, n_tasks: int, n_levels: int) -> None:
        super().__init__()
        if n_levels < 2:  # noqa: PLR2004 - one level is no question
            raise ValueError(f"`n_levels` must be at least 2, got {n_levels}.")
        self.n_levels = n_levels
        self.threshold_bias = nn.Parameter(torch.zeros(n_tasks, n_levels - 1))
        """The lowest threshold of each task, then what `_gaps` turns into distances."""

    @override
    def forward(
        self, logit: Float[Tensor, "*rows T"], label: Float[Tensor, "*rows T"]
    ) -> Float[Tensor, "*rows T"]:
        # With u above the lower and v above the upper threshold of a level:
        # log(sigmoid(u) - sigmoid(v)) = log sigmoid(u) + log sigmoid(-v) + log(1 - exp(v - u))
        level = label.long().clamp(0, self.n_levels - 1)
        thresholds, top = self._thresholds(), self.n_levels - 1
        lower = _picked(thresholds, (level - 1).clamp(min=0))
        upper = _picked(thresholds, level.clamp(max=top - 1))
        loss = torch.where(level > 0, F.softplus(lower - logit), 0.0)
        loss = loss + torch.where(level < top, F.softplus(logit - upper), 0.0)
        if top == 1:
            return loss
        gap = _picked(self._gaps(), (level - 1).clamp(0, top - 2))
        inner = (level > 0) & (level < top)
        return loss - torch.where(inner, (-torch.expm1(-gap)).log(), 0.0)

    @override
    def score(self, logit: Float[Tensor, "*rows T"]) -> Float[Tensor, "*rows T"]:
        """Return the expected level: the sum of the chances to be above each threshold."""
        return (logit.unsqueeze(-1) - self._thresholds()).sigmoid().sum(dim=-1)

    @override
    def constant_logit(
        self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]
    ) -> Float[Tensor, " T"]:
        """Return 0: `fit_` puts the base rates into the thresholds."""
        del weight
        return label.new_zeros(label.shape[1])

    @override
    @torch.no_grad()
    def fit_(self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]) -> None:
        """Start the thresholds at the shares of the levels; each has one row in 10^6 at least."""
        known = weight.sum(dim=0) > 0
        shares = torch.stack(
            [weighted_mean((label == k).to(label), weight) for k in range(self.n_levels)], dim=1
        )
        shares = (shares + RARE) / (1 + self.n_levels * RARE)
        above = shares.flip(1).cumsum(1).flip(1)[:, 1:]
        thresholds = -above.logit()
        gaps = (thresholds.diff(dim=1) - SMALLEST_GAP).clamp(min=SMALLEST_GAP)
        raw = torch.cat([thresholds[:, :1], gaps + (-torch.expm1(-gaps)).log()], dim=1)
        self.threshold_bias.copy_(torch.where(known.unsqueeze(1), raw, 0.0))

    def _gaps(self) -> Float[Tensor, "T gaps"]:
        return F.softplus(self.threshold_bias[:, 1:]) + SMALLEST_GAP

    def _thresholds(self) -> Float[Tensor, "T thresholds"]:
        return torch.cat([self.threshold_bias[:, :1], self._gaps()], dim=1).cumsum(1)


def _picked(
    table: Float[Tensor, "T choices"], at: Int[Tensor, "*rows T"]
) -> Float[Tensor, "*rows T"]:
    """Return one entry of each task's row of the table."""
    tasks = torch.arange(len(table), device=table.device)
    return table[tasks, at]

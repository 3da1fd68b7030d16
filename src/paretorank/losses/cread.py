"""Durations as a staircase: the chances to last beyond each of some thresholds (CREAD).

Source: Sun et al., CREAD: A Classification-Restoration Framework with Error Adaptive Discretization
    for Watch Time Prediction in Video Recommender Systems, AAAI 2024. One classifier per threshold
    says P(T > t_m); the duration is restored as the sum of these chances times the widths of the
    steps; the loss is cross-entropy + Huber on the restored duration + a penalty where a chance
    rises with the threshold.
We deviate: the thresholds are 0 and plain quantiles of the positive training labels, not the
error-adaptive ones. The width of a step is the mean time spent in it by those who reach it, not
t_{m+1} - t_m: with the latter the sum is an upper one and the restored mean is too large. The Huber
loss is in units of the mean duration and linear only beyond `HUBER_DELTA` of them, as a smaller
bound would pull the scores to the median. At scoring, a chance is no larger than those before it.
Shapes: K steps, one output each.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from paretorank.losses.base import RARE, Loss, weighted_mean
from paretorank.losses.quantiles import weighted_quantiles

RESTORATION_WEIGHT, ORDER_WEIGHT = 0.1, 1.0
HUBER_DELTA = 5.0


class Cread(Loss):
    """Cross-entropies of the steps; the score adds up the time spent on each."""

    balance_factor: ClassVar[float] = 1.0
    starts: Tensor
    """Where the steps of each task begin, the first at 0."""
    widths: Tensor
    """Mean seconds on each step of those who reach it, after `fit_`."""
    unit: Tensor
    """The mean duration of each task, after `fit_`."""

    def __init__(
        self,
        n_tasks: int,
        *,
        n_steps: int = 16,
        restoration_weight: float = RESTORATION_WEIGHT,
        order_weight: float = ORDER_WEIGHT,
    ) -> None:
        super().__init__()
        if n_steps < 1:
            raise ValueError(f"`n_steps` must be at least 1, got {n_steps}.")
        self.n_outputs = n_steps
        self.restoration_weight = restoration_weight
        self.order_weight = order_weight
        self.register_buffer("starts", torch.arange(n_steps).float().repeat(n_tasks, 1))
        self.register_buffer("widths", torch.ones(n_tasks, n_steps))
        self.register_buffer("unit", torch.ones(n_tasks))

    @override
    def forward(
        self, logit: Float[Tensor, "*rows T K"], label: Float[Tensor, "*rows T"]
    ) -> Float[Tensor, "*rows T"]:
        reached = (label.unsqueeze(-1) > self.starts).to(logit.dtype)
        steps = F.binary_cross_entropy_with_logits(logit, reached, reduction="none").sum(dim=-1)
        chances = logit.sigmoid()
        restored = (chances * self.widths).sum(dim=-1) / self.unit
        label = (label / self.unit).to(restored.dtype)
        error = F.huber_loss(restored, label, reduction="none", delta=HUBER_DELTA)
        rises = chances.diff(dim=-1).clamp(min=0.0).sum(dim=-1)
        return steps + self.restoration_weight * error + self.order_weight * rises

    @override
    def score(self, logit: Float[Tensor, "*rows T K"]) -> Float[Tensor, "*rows T"]:
        """Return the restored duration; it cannot be above the longest training label."""
        falling, _ = logit.sigmoid().cummin(dim=-1)
        return (falling * self.widths).sum(dim=-1)

    @override
    def constant_logit(
        self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]
    ) -> Float[Tensor, "T K"]:
        """Return the shares of rows that reach each step."""
        reached = (label.unsqueeze(-1) > self.starts).to(label)
        each = weight.unsqueeze(-1).expand_as(reached)
        share = weighted_mean(reached.flatten(1), each.flatten(1)).view(self.starts.shape)
        seen = (weight.sum(dim=0) > 0).unsqueeze(1)
        return torch.where(seen, share.clamp(RARE, 1 - RARE).logit(), 0.0).to(label.dtype)

    @override
    @torch.no_grad()
    def fit_(self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]) -> None:
        """Take the steps from the positive labels; tasks without any keep theirs."""
        mean = weighted_mean(label, weight)
        self.unit.copy_(torch.where(mean > 0, mean, 1.0))
        levels = [step / self.n_outputs for step in range(1, self.n_outputs + 1)]
        for task, (own, mass) in enumerate(zip(label.unbind(1), weight.unbind(1), strict=True)):
            positive = mass * (own > 0)
            if not bool((positive > 0).any()):
                continue
            edges = F.pad(weighted_quantiles(own, positive, levels), (1, 0))
            self.starts[task] = edges[:-1]
            spent = (own.unsqueeze(1).minimum(edges[1:]) - edges[:-1]).clamp(min=0.0)
            reached = mass.unsqueeze(1) * (own.unsqueeze(1) > edges[:-1])
            self.widths[task] = weighted_mean(spent, reached)

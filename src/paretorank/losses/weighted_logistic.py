"""Unbiased weighted logistic regression for durations.

Source: Covington, Adams, Sargin, Deep Neural Networks for YouTube Recommendations, RecSys 2016,
    section 4.2, with a correction.
There, clicked rows count with their watch time T and the others once as negatives, so the odds
estimate E[T] / (1 - P(click)), which is too large. Here every row counts once as a negative and T
times as a positive: the odds are E[T]. T is divided by a fixed unit, the mean of the training
labels, which keeps the gradients near those of a click; the score multiplies by it again.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from paretorank.losses.base import RARE, Loss, weighted_mean

LARGEST_LOGIT = 12.0  # only the score is clipped, at e^12 = 163,000 times the mean duration


class WeightedLogistic(Loss):
    """A logistic loss whose odds are the expected duration in units of `scale`."""

    balance_factor: ClassVar[float] = 1.0
    scale: Tensor
    """The unit of each task: its mean duration, after `fit_`."""

    def __init__(self, n_tasks: int) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(n_tasks))

    @override
    def forward(
        self, logit: Float[Tensor, "*rows T"], label: Float[Tensor, "*rows T"]
    ) -> Float[Tensor, "*rows T"]:
        return label / self.scale * F.softplus(-logit) + F.softplus(logit)

    @override
    def score(self, logit: Float[Tensor, "*rows T"]) -> Float[Tensor, "*rows T"]:
        return self.scale * logit.clamp(max=LARGEST_LOGIT).exp()

    @override
    def constant_logit(
        self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]
    ) -> Float[Tensor, " T"]:
        """Return the logarithm of the mean in units of `scale`: 0 after `fit_`."""
        seen = weight.sum(dim=0) > 0
        mean = weighted_mean(label, weight) / self.scale
        return (mean.clamp(min=RARE).log() * seen).to(label.dtype)

    @override
    @torch.no_grad()
    def fit_(self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]) -> None:
        """Set the unit to the mean duration; 1 where nothing lasted."""
        mean = weighted_mean(label, weight)
        self.scale.copy_(torch.where(mean > 0, mean, 1.0))

"""Shifted log-normal likelihood for durations.

Source: Crow and Shimizu (eds.), Lognormal Distributions, 1988, chapter 1 (density and mean).
We add a shift: log(T + shift) is normal, so that zero durations are allowed; with shift = 0 it is
the plain log-normal. The variance is learned per task, not per row.
"""

import math
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from typing_extensions import override

from paretorank.losses.base import Loss, longest_label, weighted_mean

LOG_ROOT_TWO_PI = 0.5 * math.log(2 * math.pi)
LARGEST_EXPONENT = 20.0  # e^20 seconds are 15 years: the score stays finite, the loss is untouched
SMALLEST_STD = 0.05  # a start below it would make the first steps explode


class LogNormal(Loss):
    """The negative log-likelihood of a duration; the logit is the mean of its logarithm."""

    balance_factor: ClassVar[float] = 1.0

    def __init__(self, n_tasks: int, *, shift: float = 1.0) -> None:
        super().__init__()
        if not shift >= 0:
            raise ValueError(f"`shift` must not be negative, got {shift}.")
        self.shift = shift
        self.log_sigma = nn.Parameter(torch.zeros(n_tasks))
        """Logarithm of the standard deviation of log(T + shift); should see no weight decay."""
        self.register_buffer("largest", torch.full((n_tasks,), torch.inf))

    largest: Tensor
    """Longest observed duration: no score is above it, however heavy the tail."""

    @override
    def forward(
        self, logit: Float[Tensor, "*rows T"], label: Float[Tensor, "*rows T"]
    ) -> Float[Tensor, "*rows T"]:
        log_label = (label + self.shift).log()
        residual = (log_label - logit) * (-self.log_sigma).exp()
        return log_label + self.log_sigma + 0.5 * residual.square() + LOG_ROOT_TWO_PI

    @override
    def score(self, logit: Float[Tensor, "*rows T"]) -> Float[Tensor, "*rows T"]:
        """Return the expected duration, at least 0."""
        exponent = logit + 0.5 * (2 * self.log_sigma).exp()
        expected = (exponent.clamp(max=LARGEST_EXPONENT).exp() - self.shift).clamp(min=0.0)
        return torch.minimum(expected, self.largest)

    @override
    def constant_logit(
        self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]
    ) -> Float[Tensor, " T"]:
        """Return the mean logarithm."""
        return weighted_mean((label + self.shift).log(), weight).to(label.dtype)

    @override
    @torch.no_grad()
    def fit_(self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]) -> None:
        """Start the variance at that of the data, and bound the scores by the longest label."""
        log_label = (label + self.shift).log()
        residual = log_label - weighted_mean(log_label, weight)
        std = weighted_mean(residual.square(), weight).sqrt().clamp(min=SMALLEST_STD)
        known = weight.sum(dim=0) > 0
        self.log_sigma.copy_(torch.where(known, std.log(), 0.0))
        self.largest.copy_(longest_label(label, weight))

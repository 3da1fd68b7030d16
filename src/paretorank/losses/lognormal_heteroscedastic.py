"""Shifted log-normal likelihood whose spread every row has of its own.

Source: Crow and Shimizu (eds.), Lognormal Distributions, 1988, chapter 1 (density and mean); a
    variance per row as in Nix and Weigend, Estimating the Mean and Variance of the Target
    Probability Distribution, ICNN 1994.
Outputs: the mean of log(T + shift), and what `std_of` turns into its standard deviation.
Shapes: K = 2 outputs.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from paretorank.losses.base import Loss, longest_label, weighted_mean
from paretorank.losses.exponents import LARGEST_EXPONENT
from paretorank.losses.lognormal import LOG_ROOT_TWO_PI, SMALLEST_STD


def std_of(output: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Return a standard deviation, above a floor, from an output of the network."""
    return F.softplus(output) + SMALLEST_STD


def output_of(std: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Return what `std_of` turns into this, or into the next that it can reach."""
    excess = (std - SMALLEST_STD).clamp(min=SMALLEST_STD / 10)
    return excess + (-torch.expm1(-excess)).log()


class HeteroscedasticLogNormal(Loss):
    """The negative log-likelihood of a duration; the score is its expected value."""

    n_outputs: int = 2
    balance_factor: ClassVar[float] = 1.0
    largest: Tensor
    """Longest observed duration: no score is above it, however heavy the tail."""

    def __init__(self, n_tasks: int, *, shift: float = 1.0) -> None:
        super().__init__()
        if not shift >= 0:
            raise ValueError(f"`shift` must not be negative, got {shift}.")
        self.shift = shift
        self.register_buffer("largest", torch.full((n_tasks,), torch.inf))

    @override
    def forward(
        self, logit: Float[Tensor, "*rows T K"], label: Float[Tensor, "*rows T"]
    ) -> Float[Tensor, "*rows T"]:
        mean, std = logit[..., 0], std_of(logit[..., 1])
        log_label = (label + self.shift).log()
        return log_label + std.log() + 0.5 * ((log_label - mean) / std).square() + LOG_ROOT_TWO_PI

    @override
    def score(self, logit: Float[Tensor, "*rows T K"]) -> Float[Tensor, "*rows T"]:
        """Return the expected duration, at least 0."""
        exponent = logit[..., 0] + 0.5 * std_of(logit[..., 1]).square()
        expected = exponent.clamp(max=LARGEST_EXPONENT).exp() - self.shift
        return torch.minimum(expected.clamp(min=0.0), self.largest)

    @override
    def constant_logit(
        self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]
    ) -> Float[Tensor, "T K"]:
        """Return mean and spread of the logarithm."""
        log_label = (label + self.shift).log()
        mean = weighted_mean(log_label, weight)
        std = weighted_mean((log_label - mean).square(), weight).sqrt()
        constant = torch.stack([mean, output_of(std)], dim=1)
        seen = weight.sum(dim=0) > 0
        return torch.where(seen.unsqueeze(1), constant, 0.0).to(label.dtype)

    @override
    @torch.no_grad()
    def fit_(self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]) -> None:
        """Bound the scores by the longest label."""
        self.largest.copy_(longest_label(label, weight))

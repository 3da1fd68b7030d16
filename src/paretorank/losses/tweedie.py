"""Tweedie quasi-likelihood: zeros and a long tail without a model of either.

Source: Jorgensen, Exponential Dispersion Models, Journal of the Royal Statistical Society B 1987
    (variance m^p); for 1 < p < 2 a compound of Poisson and gamma variables. Half the
    deviance without the terms of the label alone, so that it is positive; logarithmic link.
Labels are divided by a fixed unit, the mean of the training labels; the score multiplies by it.
Far from the labels the exponentials continue as straight lines, so that gradients stay finite.
"""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from paretorank.losses.base import longest_label
from paretorank.losses.exponents import LARGEST_EXPONENT, bounded_exp
from paretorank.losses.mean_unit import MeanUnit


class Tweedie(MeanUnit):
    """The logit is the logarithm of the mean in units of `scale`."""

    balance_factor: ClassVar[float] = 1.0
    largest: Tensor
    """Longest observed duration: no score is above it."""

    def __init__(self, n_tasks: int, *, power: float = 1.5) -> None:
        super().__init__(n_tasks)
        if not 1 < power < 2:  # noqa: PLR2004 - Poisson and gamma are the limits
            raise ValueError(f"`power` must lie between 1 and 2, got {power}.")
        self.power = power
        self.register_buffer("largest", torch.full((n_tasks,), torch.inf))

    @override
    def forward(
        self, logit: Float[Tensor, "*rows T"], label: Float[Tensor, "*rows T"]
    ) -> Float[Tensor, "*rows T"]:
        below, above = self.power - 1, 2 - self.power
        pull_up = label / self.scale * bounded_exp(-below * logit) / below
        return pull_up + bounded_exp(above * logit) / above

    @override
    def score(self, logit: Float[Tensor, "*rows T"]) -> Float[Tensor, "*rows T"]:
        expected = self.scale * logit.clamp(max=LARGEST_EXPONENT).exp()
        return torch.minimum(expected, self.largest)

    @override
    @torch.no_grad()
    def fit_(self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]) -> None:
        """Make the mean the unit, and bound the scores by the longest label."""
        super().fit_(label, weight)
        self.largest.copy_(longest_label(label, weight))

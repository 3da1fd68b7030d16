"""Poisson likelihood for counts.

Source: McCullagh and Nelder, Generalized Linear Models, 2nd edition 1989, chapter 6, with the
    canonical (logarithmic) link.
"""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from paretorank.losses.base import RARE, Loss, weighted_mean

LARGEST_LOGIT = 20.0  # only the score is clipped, at 485 million events


class Poisson(Loss):
    """The negative log-likelihood of a count, with its constant; the logit is the log mean."""

    balance_factor: ClassVar[float] = 1.0

    @override
    def forward(
        self, logit: Float[Tensor, "*rows T"], label: Float[Tensor, "*rows T"]
    ) -> Float[Tensor, "*rows T"]:
        return logit.exp() - label * logit + (label + 1).lgamma()

    @override
    def score(self, logit: Float[Tensor, "*rows T"]) -> Float[Tensor, "*rows T"]:
        return logit.clamp(max=LARGEST_LOGIT).exp()

    @override
    def constant_logit(
        self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]
    ) -> Float[Tensor, " T"]:
        """Return the logarithm of the mean; a task without events starts at one in 10^6 rows."""
        seen = weight.sum(dim=0) > 0
        return (weighted_mean(label, weight).clamp(min=RARE).log() * seen).to(label.dtype)

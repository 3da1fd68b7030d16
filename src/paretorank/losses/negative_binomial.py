"""Negative binomial likelihood for counts that vary more than a Poisson variable does.

Source: Hilbe, Negative Binomial Regression, 2nd edition 2011, chapter 8 (NB2), with the logarithmic
    link: the variance is m + m^2 / r for the mean m. The size r is learned per task.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from typing_extensions import override

from paretorank.losses.base import RARE, Loss, weighted_mean
from paretorank.losses.exponents import LARGEST_EXPONENT

LOG_SIZE_RANGE = (-5.0, 8.0)  # where a fit may start: nearly all zeros to practically Poisson


class NegativeBinomial(Loss):
    """The negative log-likelihood of a count, with its constant; the logit is the log mean."""

    balance_factor: ClassVar[float] = 1.0

    def __init__(self, n_tasks: int) -> None:
        super().__init__()
        self.log_size = nn.Parameter(torch.zeros(n_tasks))
        """Logarithm of r; the larger, the nearer to Poisson. Should see no weight decay."""

    @override
    def forward(
        self, logit: Float[Tensor, "*rows T"], label: Float[Tensor, "*rows T"]
    ) -> Float[Tensor, "*rows T"]:
        excess = logit - self.log_size
        odds = self.log_size.exp() * F.softplus(excess) + label * F.softplus(-excess)
        return odds + self._log_constant(label)

    @override
    def score(self, logit: Float[Tensor, "*rows T"]) -> Float[Tensor, "*rows T"]:
        return logit.clamp(max=LARGEST_EXPONENT).exp()

    @override
    def constant_logit(
        self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]
    ) -> Float[Tensor, " T"]:
        """Return the logarithm of the mean, the best constant for any size."""
        seen = weight.sum(dim=0) > 0
        return (weighted_mean(label, weight).clamp(min=RARE).log() * seen).to(label.dtype)

    @override
    @torch.no_grad()
    def fit_(self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]) -> None:
        """Start the size where mean and variance agree with those of the labels."""
        mean = weighted_mean(label, weight)
        variance = weighted_mean((label - mean).square(), weight)
        excess = (variance - mean).clamp(min=RARE) / mean.square().clamp(min=RARE)
        known = weight.sum(dim=0) > 0
        self.log_size.copy_(torch.where(known, (-excess.log()).clamp(*LOG_SIZE_RANGE), 0.0))

    def _log_constant(self, label: Float[Tensor, "*rows T"]) -> Float[Tensor, "*rows T"]:
        """Return the logarithm of r! y! / (r + y)! without factors, in double: the terms cancel."""
        size, count = self.log_size.double().exp(), label.double()
        constant = size.lgamma() + (count + 1).lgamma() - (size + count).lgamma()
        return constant.to(label.dtype)

"""Zero-inflated log-normal likelihood (ZILN): whether there is any, and how much if so.

Source: Wang, Liu and Miao, A Deep Probabilistic Model for Customer Lifetime Value Prediction, 2019,
    arXiv:1912.07753, section 3.
Outputs: the logit of P(T > 0), the mean of log T given T > 0, and what `std_of` turns into its
standard deviation. The floor of the latter is ours; the score is bounded by the longest label.
Shapes: K = 3 outputs.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from paretorank.losses.base import RARE, Loss, longest_label, weighted_mean
from paretorank.losses.exponents import LARGEST_EXPONENT
from paretorank.losses.lognormal import LOG_ROOT_TWO_PI
from paretorank.losses.lognormal_heteroscedastic import output_of, std_of


class ZeroInflatedLogNormal(Loss):
    """The negative log-likelihood of a duration that is 0 or log-normal."""

    n_outputs: int = 3
    balance_factor: ClassVar[float] = 1.0
    largest: Tensor
    """Longest observed duration: no score is above it, however heavy the tail."""

    def __init__(self, n_tasks: int) -> None:
        super().__init__()
        self.register_buffer("largest", torch.full((n_tasks,), torch.inf))

    @override
    def forward(
        self, logit: Float[Tensor, "*rows T K"], label: Float[Tensor, "*rows T"]
    ) -> Float[Tensor, "*rows T"]:
        any_logit, mean, std = logit[..., 0], logit[..., 1], std_of(logit[..., 2])
        is_positive = label > 0
        log_label = torch.where(is_positive, label, 1.0).log()
        spread = 0.5 * ((log_label - mean) / std).square()
        amount = log_label + std.log() + spread + LOG_ROOT_TWO_PI + F.softplus(-any_logit)
        return torch.where(is_positive, amount, F.softplus(any_logit))

    @override
    def score(self, logit: Float[Tensor, "*rows T K"]) -> Float[Tensor, "*rows T"]:
        """Return the expected duration."""
        exponent = logit[..., 1] + 0.5 * std_of(logit[..., 2]).square()
        expected = logit[..., 0].sigmoid() * exponent.clamp(max=LARGEST_EXPONENT).exp()
        return torch.minimum(expected, self.largest)

    @override
    def constant_logit(
        self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]
    ) -> Float[Tensor, "T K"]:
        """Return the share of positive labels, and mean and spread of their logarithm."""
        is_positive = label > 0
        share = weighted_mean(is_positive.to(label), weight).clamp(RARE, 1 - RARE)
        positive = weight * is_positive
        log_label = torch.where(is_positive, label, 1.0).log()
        mean = weighted_mean(log_label, positive)
        std = weighted_mean((log_label - mean).square(), positive).sqrt()
        constant = torch.stack([share.logit(), mean, output_of(std)], dim=1)
        seen = weight.sum(dim=0) > 0
        return torch.where(seen.unsqueeze(1), constant, 0.0).to(label.dtype)

    @override
    @torch.no_grad()
    def fit_(self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]) -> None:
        """Bound the scores by the longest label."""
        self.largest.copy_(longest_label(label, weight))

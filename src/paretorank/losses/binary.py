"""Binary cross-entropy on logits.

Source: the Bernoulli likelihood; Bishop, Pattern Recognition and Machine Learning, 2006,
    section 4.3.2, equation 4.90.
"""

from typing import ClassVar

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from paretorank.losses.base import RARE, Loss, weighted_mean


class BinaryCrossEntropy(Loss):
    """The negative log-likelihood of a label that is 0 or 1 (or a share between them)."""

    balance_factor: ClassVar[float] = 1.0

    @override
    def forward(
        self, logit: Float[Tensor, "*rows T"], label: Float[Tensor, "*rows T"]
    ) -> Float[Tensor, "*rows T"]:
        return F.binary_cross_entropy_with_logits(logit, label, reduction="none")

    @override
    def score(self, logit: Float[Tensor, "*rows T"]) -> Float[Tensor, "*rows T"]:
        return logit.sigmoid()

    @override
    def constant_logit(
        self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]
    ) -> Float[Tensor, " T"]:
        """Return the logit of the base rate; a task without positives starts at one in 10^6."""
        seen = weight.sum(dim=0) > 0
        logit = weighted_mean(label, weight).clamp(RARE, 1 - RARE).logit()
        return (logit * seen).to(label.dtype)

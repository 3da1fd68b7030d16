"""Squared error.

Source: the Gaussian likelihood of fixed variance; Bishop, Pattern Recognition and Machine Learning,
    2006, section 1.2.5, equation 1.62, without the factor 1/2.
"""

from typing import ClassVar

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from paretorank.losses.base import Loss, weighted_mean


class SquaredError(Loss):
    """The squared difference; the score is the logit itself."""

    balance_factor: ClassVar[float] = 0.5

    @override
    def forward(
        self, logit: Float[Tensor, "*rows T"], label: Float[Tensor, "*rows T"]
    ) -> Float[Tensor, "*rows T"]:
        return F.mse_loss(logit, label, reduction="none")

    @override
    def score(self, logit: Float[Tensor, "*rows T"]) -> Float[Tensor, "*rows T"]:
        return logit

    @override
    def constant_logit(
        self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]
    ) -> Float[Tensor, " T"]:
        """Return the mean."""
        return weighted_mean(label, weight).to(label.dtype)

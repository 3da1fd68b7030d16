"""Unbiased weighted logistic regression for durations.

Source: Covington, Adams, Sargin, Deep Neural Networks for YouTube Recommendations, RecSys 2016,
    section 4.2, with a correction.
There, clicked rows count with their watch time T and the others once as negatives, so the odds
estimate E[T] / (1 - P(click)), which is too large. Here every row counts once as a negative and T
times as a positive: the odds are E[T]. T is divided by a fixed unit, the mean of the training
labels, which keeps the gradients near those of a click; the score multiplies by it again.
"""

from typing import ClassVar

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from paretorank.losses.mean_unit import MeanUnit

LARGEST_LOGIT = 12.0  # only the score is clipped, at e^12 = 163,000 times the mean duration


class WeightedLogistic(MeanUnit):
    """A logistic loss whose odds are the expected duration in units of `scale`."""

    balance_factor: ClassVar[float] = 1.0

    @override
    def forward(
        self, logit: Float[Tensor, "*rows T"], label: Float[Tensor, "*rows T"]
    ) -> Float[Tensor, "*rows T"]:
        return label / self.scale * F.softplus(-logit) + F.softplus(logit)

    @override
    def score(self, logit: Float[Tensor, "*rows T"]) -> Float[Tensor, "*rows T"]:
        return self.scale * logit.clamp(max=LARGEST_LOGIT).exp()

"""Huber loss: squared near the label, linear far from it.

Source: Huber, Robust Estimation of a Location Parameter, Annals of Mathematical Statistics 1964,
    section 4. The quadratic part is half the square, so the balance factor is 1.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from paretorank.losses.base import Loss

BISECTIONS = 60  # halvings of the range of the labels; exhausts double precision


class Huber(Loss):
    """Half the squared difference up to `delta`, then as steep as it is there."""

    balance_factor: ClassVar[float] = 1.0

    def __init__(self, delta: float) -> None:
        super().__init__()
        if not delta > 0:
            raise ValueError(f"`delta` must be positive, got {delta}.")
        self.delta = delta

    @override
    def forward(
        self, logit: Float[Tensor, "*rows T"], label: Float[Tensor, "*rows T"]
    ) -> Float[Tensor, "*rows T"]:
        return F.huber_loss(logit, label, reduction="none", delta=self.delta)

    @override
    def score(self, logit: Float[Tensor, "*rows T"]) -> Float[Tensor, "*rows T"]:
        return logit

    @override
    def constant_logit(
        self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]
    ) -> Float[Tensor, " T"]:
        """Return the M-estimate of location: where the clipped residuals balance."""
        label_NT = torch.where(weight > 0, label, 0.0).double()
        low, high = label_NT.amin(dim=0), label_NT.amax(dim=0)
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            pull = (weight * (label_NT - middle).clamp(-self.delta, self.delta)).sum(dim=0)
            low, high = torch.where(pull > 0, middle, low), torch.where(pull > 0, high, middle)
        return ((low + high) / 2).to(label.dtype)

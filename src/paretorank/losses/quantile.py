"""Pinball loss: the score is a quantile of the label, not its mean.

Source: Koenker and Bassett, Regression Quantiles, Econometrica 1978. It is the
    negative log-likelihood of an asymmetric Laplace distribution up to scale and constant.
"""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from paretorank.losses.base import Loss
from paretorank.losses.quantiles import weighted_quantiles


class Quantile(Loss):
    """Too low costs `level` per unit, too high costs 1 - `level`."""

    balance_factor: ClassVar[float] = 1.0

    def __init__(self, level: float) -> None:
        super().__init__()
        if not 0 < level < 1:
            raise ValueError(f"`level` must lie between 0 and 1, got {level}.")
        self.level = level

    @override
    def forward(
        self, logit: Float[Tensor, "*rows T"], label: Float[Tensor, "*rows T"]
    ) -> Float[Tensor, "*rows T"]:
        missing = label - logit
        return torch.maximum(self.level * missing, (self.level - 1) * missing)

    @override
    def score(self, logit: Float[Tensor, "*rows T"]) -> Float[Tensor, "*rows T"]:
        return logit

    @override
    def constant_logit(
        self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]
    ) -> Float[Tensor, " T"]:
        """Return the quantile of the labels."""
        columns = zip(label.unbind(1), weight.unbind(1), strict=True)
        return torch.cat([weighted_quantiles(y, w, [self.level]) for y, w in columns])

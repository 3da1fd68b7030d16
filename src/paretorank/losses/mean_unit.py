"""What losses have in common whose logit is the logarithm of a mean in units of a fixed one.

Source: the logarithmic link of McCullagh and Nelder, Generalized Linear Models, 1989.
Shapes: N rows, T tasks.
"""

from abc import ABC

import torch
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from paretorank.losses.base import RARE, Loss, weighted_mean


class MeanUnit(Loss, ABC):
    """The unit is the mean of the training labels, so that every task starts at 0."""

    scale: Tensor
    """The unit of each task: its mean, after `fit_`."""

    def __init__(self, n_tasks: int) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(n_tasks))

    @override
    def constant_logit(
        self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]
    ) -> Float[Tensor, " T"]:
        """Return the logarithm of the mean in units of `scale`: 0 after `fit_`."""
        seen = weight.sum(dim=0) > 0
        mean = weighted_mean(label, weight) / self.scale
        return (mean.clamp(min=RARE).log() * seen).to(label.dtype)

    @override
    @torch.no_grad()
    def fit_(self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]) -> None:
        """Make the mean the unit; 1 where it is 0."""
        mean = weighted_mean(label, weight)
        self.scale.copy_(torch.where(mean > 0, mean, 1.0))

"""Cross-entropy with a loss beside it that compares the rows of a request.

Source: the sum of both kinds of loss in Sculley, Combined Regression and Ranking, KDD 2010.
"""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from paretorank.losses.binary import BinaryCrossEntropy
from paretorank.losses.requests import Requests


class RankedCrossEntropy(BinaryCrossEntropy, ABC):
    """Adds `weight` times the ranking loss of a row to its cross-entropy."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight

    @override
    def in_requests(
        self,
        logit: Float[Tensor, "B T"],
        label: Float[Tensor, "B T"],
        requests: Requests,
    ) -> Float[Tensor, "B T"]:
        own: Tensor = self(logit, label)
        return own + self.weight * self.ranking(logit, label, requests)

    @abstractmethod
    def ranking(
        self, logit: Float[Tensor, "B T"], label: Float[Tensor, "B T"], requests: Requests
    ) -> Float[Tensor, "B T"]:
        """Return the ranking loss of every row; 0 for those that are compared with none."""

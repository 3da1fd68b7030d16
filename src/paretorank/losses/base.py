"""What every loss is: one number per row, and the way from a logit to what a user reads."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from paretorank.losses.requests import Requests

RARE = 1e-6  # the smallest rate or mean that a constant model is started with


class Loss(nn.Module, ABC):
    """Compares logits with labels element by element and never averages.

    The last axis is the task where a loss keeps numbers per task; a loss of one task broadcasts.
    """

    n_outputs: int = 1
    """Outputs of the network that a task needs. With more than one, every logit below has one axis
    more at the end, [*rows, T, K], and `constant_logit` returns [T, K]."""
    balance_factor: ClassVar[float]
    """The factor c of uncertainty weighting, such that c / variance * loss is a log-likelihood: 1/2
    for the squared error, 1 for cross-entropies and for full likelihoods."""
    counts_waiting: ClassVar[bool] = False
    """Whether rows without a label count if `given` a value: they wait for what may yet happen."""

    @abstractmethod
    def forward(
        self, logit: Float[Tensor, "*outputs"], label: Float[Tensor, "*rows T"]
    ) -> Float[Tensor, "*rows T"]:
        """Return the loss of each element by itself; every label must be finite."""

    def in_requests(
        self,
        logit: Float[Tensor, "*outputs"],
        label: Float[Tensor, "B T"],
        requests: Requests,
    ) -> Float[Tensor, "B T"]:
        """Return the loss of each element, with what comes from comparing rows of a request."""
        del requests
        loss: Tensor = self(logit, label)
        return loss

    def given(self, columns: Float[Tensor, "B T"]) -> "Loss":
        """Return the loss on rows of which a numeric column of each task has these values.

        NaN is missing. A loss that reads nothing but labels is returned as it is.
        """
        del columns
        return self

    @abstractmethod
    def score(self, logit: Float[Tensor, "*outputs"]) -> Float[Tensor, "*rows T"]:
        """Return the probability, or the expected value in the unit of the label."""

    @abstractmethod
    def constant_logit(
        self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]
    ) -> Float[Tensor, "*outputs"]:
        """Return the logits of the best constant models; rows of weight 0 do not count."""

    def fit_(self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]) -> None:
        """Set what depends on the data, such as a unit; called once, before training."""


def weighted_mean(value: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]) -> Float[Tensor, " T"]:
    """Return the mean of each column in double precision; 0 for a column without weight."""
    mass = weight.double().sum(dim=0)
    total = (torch.where(weight > 0, value, 0.0).double() * weight.double()).sum(dim=0)
    return torch.where(mass > 0, total / mass.clamp(min=torch.finfo(mass.dtype).tiny), 0.0)


def longest_label(label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]) -> Float[Tensor, " T"]:
    """Return the largest label that counts in each column; infinity for a column without any."""
    longest = torch.where(weight > 0, label, 0.0).amax(dim=0)
    return torch.where(weight.sum(dim=0) > 0, longest, torch.inf)

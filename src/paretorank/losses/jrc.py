"""Joint ranking and calibration (JRC): two logits per row, one for each answer.

Source: Sheng et al., Joint Optimization of Ranking and Calibration with Contextualized Hybrid
    Model, KDD 2023. With logits f_0, f_1: cross-entropy of softmax(f_0, f_1), and for
    each row -log softmax of f_y over the rows of its request, y being its label.
Outputs: the paper's network has f_0 and f_1; ours has z = f_1 - f_0, whose sigmoid is the score and
which other parts of the model may add to, and f_0. That is the same up to a linear map.
Some implementations let a row compete only with those of the other label; we follow the paper's
softmax over the whole request.
We deviate: the total is cross-entropy + weight * ranking, which is the paper's with
alpha = 1 / (1 + weight) up to a factor; requests whose rows have one label do not take part in the
ranking. Costs a few passes over the rows.
Set `training.loader.shuffle = "requests"`: with single rows a batch holds hardly any list.
Shapes: K = 2 outputs.
"""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from paretorank.losses.base import Loss
from paretorank.losses.binary import BinaryCrossEntropy
from paretorank.losses.requests import Requests, has_pair, segment_log_softmax, segments


class JointRankingCalibration(Loss):
    """Adds `weight` times the loss of picking a row among those of its request."""

    n_outputs: int = 2
    balance_factor: ClassVar[float] = 1.0

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight
        self._calibration = BinaryCrossEntropy()

    @override
    def forward(
        self, logit: Float[Tensor, "*rows T K"], label: Float[Tensor, "*rows T"]
    ) -> Float[Tensor, "*rows T"]:
        loss: Tensor = self._calibration(logit[..., 0], label)
        return loss

    @override
    def in_requests(
        self,
        logit: Float[Tensor, "B T K"],
        label: Float[Tensor, "B T"],
        requests: Requests,
    ) -> Float[Tensor, "B T"]:
        own: Tensor = self(logit, label)
        return own + self.weight * _ranking(logit, label, requests)

    @override
    def score(self, logit: Float[Tensor, "*rows T K"]) -> Float[Tensor, "*rows T"]:
        return logit[..., 0].sigmoid()

    @override
    def constant_logit(
        self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]
    ) -> Float[Tensor, "T K"]:
        """Return the logit of the base rate; the second output is free, and starts at 0."""
        base = self._calibration.constant_logit(label, weight)
        return torch.stack([base, torch.zeros_like(base)], dim=1)


def _ranking(
    logit: Float[Tensor, "B T K"], label: Float[Tensor, "B T"], requests: Requests
) -> Float[Tensor, "B T"]:
    segment, n_segments = segments(requests.code)
    counted = requests.observed
    ranked = has_pair(label, counted, segment, n_segments) & counted
    negative = logit[..., 1]
    positive = logit[..., 0] + negative
    chance_1 = segment_log_softmax(positive, counted, segment, n_segments)
    chance_0 = segment_log_softmax(negative, counted, segment, n_segments)
    return -(label * chance_1 + (1 - label) * chance_0) * ranked

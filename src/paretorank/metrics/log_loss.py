"""Log loss of probabilities: the negative mean log-likelihood of 0/1 labels, in nats.

Shapes: N rows, S = 2 sums.
"""

from typing import ClassVar

import numpy as np
from jaxtyping import Float
from typing_extensions import override

from paretorank.metrics.rows import Rows
from paretorank.metrics.sums import SumMetric, ratio

EPSILON = 1e-7
"""Keeps log(0) away where a float32 sigmoid is exactly 0 or 1 (its last step below 1 is 6e-8)."""


class LogLoss(SumMetric):
    """Mean negative log-likelihood of the labels; scores outside [EPSILON, 1 - EPSILON] are cut."""

    name: ClassVar[str] = "log_loss"
    unit: ClassVar[str] = "nats"
    best: ClassVar[float] = 0.0
    higher_is_better: ClassVar[bool] = False
    needs_binary: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__(n_sums=2)

    @override
    def row_terms(self, rows: Rows) -> Float[np.ndarray, "N S"]:
        return np.stack([rows.weight * row_log_loss(rows), rows.weight], axis=1)

    @override
    def of_sums(self, sums: Float[np.ndarray, "*R S"]) -> Float[np.ndarray, "*R"]:
        return ratio(sums[..., 0], sums[..., 1])

    @override
    def _why_undefined(self) -> str:
        return "no observed rows"


def row_log_loss(rows: Rows) -> Float[np.ndarray, " N"]:
    """Return the negative log-likelihood of each label, not weighted.

    Raises:
        ValueError: a score is not a probability.
    """
    check_probabilities(rows)
    probability = np.clip(rows.score, EPSILON, 1.0 - EPSILON)
    return -np.where(rows.label == 1.0, np.log(probability), np.log1p(-probability))


def check_probabilities(rows: Rows) -> None:
    """Refuse scores outside [0, 1].

    Raises:
        ValueError: a score is not a probability.
    """
    outside = (rows.score < 0.0) | (rows.score > 1.0)
    if outside.any():
        raise ValueError(f"`score` must be between 0 and 1, got {rows.score[outside][0]}.")

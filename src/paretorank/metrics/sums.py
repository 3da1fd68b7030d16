"""Metrics that are a function of sums over rows: constant memory, and cheap to resample.

Shapes: N rows, S sums.
"""

from abc import abstractmethod

import numpy as np
from jaxtyping import Float
from typing_extensions import override

from paretorank.metrics.base import Metric
from paretorank.metrics.rows import Rows


class SumMetric(Metric):
    """A metric that needs to remember nothing but `n_sums` numbers."""

    def __init__(self, n_sums: int) -> None:
        super().__init__()
        self.sums = np.zeros(n_sums)

    @abstractmethod
    def row_terms(self, rows: Rows) -> Float[np.ndarray, "N S"]:
        """Return what each row adds to the sums, its weight included."""

    @abstractmethod
    def of_sums(self, sums: Float[np.ndarray, "*R S"]) -> Float[np.ndarray, "*R"]:
        """Return the metric for one or many vectors of sums; NaN where it is undefined."""

    @override
    def result(self) -> float:
        return float(self.of_sums(self.sums[None, :])[0])

    @override
    def _add(self, rows: Rows) -> None:
        self.sums = self.sums + self.row_terms(rows).sum(axis=0)

    @override
    def _absorb(self, other: Metric) -> None:
        if not isinstance(other, SumMetric) or other.sums.shape != self.sums.shape:
            raise ValueError(f"`other` must be configured as this {self.name}, got another one.")
        self.sums = self.sums + other.sums


def ratio(
    numerator: Float[np.ndarray, "*R"], denominator: Float[np.ndarray, "*R"]
) -> Float[np.ndarray, "*R"]:
    """Return the quotient, NaN where the denominator is not positive."""
    undefined = np.full(np.shape(numerator), np.nan)
    return np.divide(numerator, denominator, out=undefined, where=denominator > 0.0)

"""Root mean squared error.

Shapes: N rows, S = 2 sums.
"""

from typing import ClassVar

import numpy as np
from jaxtyping import Float
from typing_extensions import override

from paretorank.metrics.rows import Rows
from paretorank.metrics.sums import SumMetric, ratio


class RootMeanSquaredError(SumMetric):
    """Root of the mean squared distance between score and label, in the unit of the label."""

    name: ClassVar[str] = "rmse"
    unit: ClassVar[str] = "label"
    best: ClassVar[float] = 0.0
    higher_is_better: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__(n_sums=2)

    @override
    def row_terms(self, rows: Rows) -> Float[np.ndarray, "N S"]:
        return np.stack([rows.weight * (rows.score - rows.label) ** 2, rows.weight], axis=1)

    @override
    def of_sums(self, sums: Float[np.ndarray, "*R S"]) -> Float[np.ndarray, "*R"]:
        return np.sqrt(ratio(sums[..., 0], sums[..., 1]))

    @override
    def _why_undefined(self) -> str:
        return "no observed rows"

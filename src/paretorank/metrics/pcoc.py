"""PCOC: predicted over observed, the calibration of a whole segment in one number.

Shapes: N rows, S = 2 sums.
"""

from typing import ClassVar

import numpy as np
from jaxtyping import Float
from typing_extensions import override

from paretorank.metrics.rows import Rows
from paretorank.metrics.sums import SumMetric, ratio


class PredictedOverObserved(SumMetric):
    """Mean score divided by mean label: 1 is calibrated, above 1 over-predicts.

    NaN where the mean label is not positive.
    """

    name: ClassVar[str] = "pcoc"
    unit: ClassVar[str] = ""
    best: ClassVar[float] = 1.0
    higher_is_better: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__(n_sums=2)

    @override
    def row_terms(self, rows: Rows) -> Float[np.ndarray, "N S"]:
        return np.stack([rows.weight * rows.score, rows.weight * rows.label], axis=1)

    @override
    def of_sums(self, sums: Float[np.ndarray, "*R S"]) -> Float[np.ndarray, "*R"]:
        return ratio(sums[..., 0], sums[..., 1])

    @override
    def _why_undefined(self) -> str:
        return "mean label is not positive"

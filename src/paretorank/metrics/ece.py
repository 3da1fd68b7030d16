"""Expected calibration error over bins of equal width.

Source: Naeini et al., Obtaining Well Calibrated Probabilities Using Bayesian Binning, AAAI 2015.
A bin is closed on the left; the last one is closed on both sides.

Shapes: N rows, S sums: one gap per bin, then the weight.
"""

from typing import ClassVar

import numpy as np
from jaxtyping import Float
from typing_extensions import override

from paretorank.metrics.log_loss import check_probabilities
from paretorank.metrics.rows import Rows
from paretorank.metrics.sums import SumMetric, ratio


class ExpectedCalibrationError(SumMetric):
    """Mean distance between score and label rate of a bin, each bin weighted by its rows."""

    name: ClassVar[str] = "ece"
    unit: ClassVar[str] = "probability"
    best: ClassVar[float] = 0.0
    higher_is_better: ClassVar[bool] = False
    needs_binary: ClassVar[bool] = True

    def __init__(self, n_bins: int = 10) -> None:
        if n_bins < 1:
            raise ValueError(f"`n_bins` must be at least 1, got {n_bins}.")
        super().__init__(n_sums=n_bins + 1)
        self.n_bins = n_bins

    @override
    def row_terms(self, rows: Rows) -> Float[np.ndarray, "N S"]:
        check_probabilities(rows)
        bins = np.minimum((rows.score * self.n_bins).astype(np.intp), self.n_bins - 1)
        terms = np.zeros((len(rows), self.n_bins + 1))
        terms[np.arange(len(rows)), bins] = rows.weight * (rows.score - rows.label)
        terms[:, -1] = rows.weight
        return terms

    @override
    def of_sums(self, sums: Float[np.ndarray, "*R S"]) -> Float[np.ndarray, "*R"]:
        return ratio(np.abs(sums[..., :-1]).sum(axis=-1), sums[..., -1])

    @override
    def _why_undefined(self) -> str:
        return "no observed rows"

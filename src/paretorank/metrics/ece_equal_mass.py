"""Expected calibration error over bins that hold equally many rows.

Source: Nguyen and O'Connor, Posterior Calibration and Exploratory Analysis for Natural Language
Processing Models, EMNLP 2015, section 3. Rows with the same score share a bin, so that the order of
rows does not matter; bins may therefore differ a little in size.

Shapes: N rows.
"""

from typing import ClassVar

import numpy as np
from typing_extensions import override

from paretorank.metrics.kept import RowsMetric
from paretorank.metrics.log_loss import check_probabilities
from paretorank.metrics.rows import Rows


class EqualMassCalibrationError(RowsMetric):
    """Expected calibration error for scores that crowd near 0, where equal widths see one bin."""

    name: ClassVar[str] = "ece_equal_mass"
    unit: ClassVar[str] = "probability"
    best: ClassVar[float] = 0.0
    higher_is_better: ClassVar[bool] = False
    needs_binary: ClassVar[bool] = True

    def __init__(self, n_bins: int = 10) -> None:
        if n_bins < 1:
            raise ValueError(f"`n_bins` must be at least 1, got {n_bins}.")
        super().__init__()
        self.n_bins = n_bins

    @override
    def _of_rows(self, rows: Rows) -> float:
        if len(rows) == 0:
            return float("nan")
        check_probabilities(rows)
        _, level = np.unique(rows.score, return_inverse=True)
        mass = np.bincount(level, weights=rows.weight)
        middle = (np.cumsum(mass) - 0.5 * mass) / mass.sum()  # strictly inside (0, 1)
        bins = (middle * self.n_bins).astype(np.intp)[level]
        gaps = np.bincount(bins, weights=rows.weight * (rows.score - rows.label))
        return float(np.abs(gaps).sum() / mass.sum())

    @override
    def _why_undefined(self) -> str:
        return "no observed rows"

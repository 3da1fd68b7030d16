"""Area under the ROC curve, exact.

Source: Hanley and McNeil, The Meaning and Use of the Area under a ROC Curve, Radiology 1982;
equal to the Mann-Whitney statistic with mid-ranks. A pair of rows weighs the product of their
weights, as in scikit-learn.

Shapes: N rows, P rows with label 1, Q rows with label 0.
"""

import math
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Shaped
from typing_extensions import override

from paretorank.metrics.kept import RowsMetric
from paretorank.metrics.rows import Rows, observed_rows


class AUC(RowsMetric):
    """Chance that a random positive row is scored above a random negative one; ties count half.

    NaN where one of the classes is missing: such rows say nothing about order.
    """

    name: ClassVar[str] = "auc"
    unit: ClassVar[str] = ""
    best: ClassVar[float] = 1.0
    higher_is_better: ClassVar[bool] = True
    needs_binary: ClassVar[bool] = True

    @override
    def _of_rows(self, rows: Rows) -> float:
        return RankedPairs(rows).auc(rows.weight)

    @override
    def _why_undefined(self) -> str:
        return "one class only"


class RankedPairs:
    """Rows sorted once, so that their AUC can be had for many weightings."""

    def __init__(self, rows: Rows) -> None:
        order = np.argsort(rows.score, kind="stable")
        is_positive = rows.label[order] == 1.0
        self._positive: Shaped[np.ndarray, " P"] = order[is_positive]
        self._negative: Shaped[np.ndarray, " Q"] = order[~is_positive]
        positive, negative = rows.score[self._positive], rows.score[self._negative]
        self._n_below = np.searchsorted(negative, positive, side="left")
        self._n_not_above = np.searchsorted(negative, positive, side="right")

    def auc(self, weight: Float[np.ndarray, " N"]) -> float:
        """Return the AUC of the rows with these weights (0 allowed); NaN for a single class."""
        positive = weight[self._positive]
        negative = np.concatenate([[0.0], np.cumsum(weight[self._negative])])
        n_pairs = float(positive.sum() * negative[-1])
        if n_pairs == 0.0:
            return math.nan
        wins = negative[self._n_below] + negative[self._n_not_above]
        return 0.5 * float(positive @ wins) / n_pairs


def weighted_auc(
    score: Float[np.ndarray, " N"],
    label: Shaped[np.ndarray, " N"],
    weight: Shaped[np.ndarray, " N"] | None = None,
) -> float:
    """Return the AUC of rows that are all in memory; NaN for a single class.

    >>> weighted_auc(np.array([0.2, 0.5, 0.5, 0.9]), np.array([0, 0, 1, 1]))
    0.875
    """
    metric = AUC()
    metric.update_rows(observed_rows(score, label, weight=weight))
    return metric.result()

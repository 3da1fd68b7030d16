"""Normalized entropy: log loss over the entropy of the base rate.

Source: He et al., Practical Lessons from Predicting Clicks on Ads at Facebook, ADKDD 2014,
section 3. Below 1 the scores know more than the base rate does.

Shapes: N rows, S = 3 sums.
"""

from typing import ClassVar

import numpy as np
from jaxtyping import Float
from scipy.special import entr
from typing_extensions import override

from paretorank.metrics.log_loss import row_log_loss
from paretorank.metrics.rows import Rows
from paretorank.metrics.sums import SumMetric, ratio


class NormalizedEntropy(SumMetric):
    """Log loss relative to always predicting the base rate of the same rows.

    NaN where one of the classes is missing: the base rate then has no entropy.
    """

    name: ClassVar[str] = "normalized_entropy"
    unit: ClassVar[str] = ""
    best: ClassVar[float] = 0.0
    higher_is_better: ClassVar[bool] = False
    needs_binary: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__(n_sums=3)

    @override
    def row_terms(self, rows: Rows) -> Float[np.ndarray, "N S"]:
        loss, positive = rows.weight * row_log_loss(rows), rows.weight * rows.label
        return np.stack([loss, positive, rows.weight - positive], axis=1)

    @override
    def of_sums(self, sums: Float[np.ndarray, "*R S"]) -> Float[np.ndarray, "*R"]:
        loss, positive, negative = sums[..., 0], sums[..., 1], sums[..., 2]
        total = positive + negative
        # Negatives have a sum of their own: 1 - base rate could round a missing class to not 0.
        entropy = entr(ratio(positive, total)) + entr(ratio(negative, total))
        return ratio(ratio(loss, total), entropy)

    @override
    def _why_undefined(self) -> str:
        return "one class only"

"""Beta calibration: both ends of the scale are stretched on their own.

Source: Kull, Silva Filho and Flach, Beta Calibration: A Well-Founded and Easily Implemented
    Improvement on Logistic Calibration for Binary Classifiers, AISTATS 2017, section 4:
    sigmoid(a log p - b log(1 - p) + c) with a, b >= 0.
We deviate: a and b are bounded in the fit, where the paper drops an input whose coefficient comes
out negative; targets are smoothed as in Platt scaling.

Shapes: N rows.
"""

from typing import Literal

import numpy as np
from jaxtyping import Float
from pydantic import NonNegativeFloat
from typing_extensions import override

from paretorank.calibration.base import ScoreMap
from paretorank.calibration.logistic import fit_logistic, log_chances, sigmoid
from paretorank.metrics import Rows


class BetaMap(ScoreMap):
    """Three numbers: sigmoid(a log p - b log(1 - p) + c)."""

    kind: Literal["beta"] = "beta"
    a: NonNegativeFloat
    """How much small scores differ; 1 keeps them."""
    b: NonNegativeFloat
    """How much large scores differ; 1 keeps them."""
    c: float
    """Above 0: the scores were too low."""

    @override
    def apply(self, score: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
        positive, negative = log_chances(score)
        return sigmoid(self.a * positive - self.b * negative + self.c)


def fit_beta(rows: Rows) -> BetaMap:
    """Return the three numbers with the least cross-entropy."""
    positive, negative = log_chances(rows.score)
    inputs = np.stack([positive, -negative, np.ones(len(rows))], axis=1)
    bounds = [(0.0, None), (0.0, None), (None, None)]
    a, b, c = fit_logistic(inputs, rows, start=(1.0, 1.0, 0.0), bounds=bounds)
    return BetaMap(a=a, b=b, c=c)

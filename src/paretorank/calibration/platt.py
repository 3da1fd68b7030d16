"""Platt scaling: a straight line through the logits.

Source: Platt, Probabilistic Outputs for Support Vector Machines, Advances in Large Margin
    Classifiers 1999, section 2.2: sigmoid(a logit + b) with smoothed targets.
We deviate: the line goes through the logit of the score, and a stays above 0, so that the order of
scores, and with it every AUC, is kept.

Shapes: N rows.
"""

from typing import Final, Literal

import numpy as np
from jaxtyping import Float
from pydantic import PositiveFloat
from typing_extensions import override

from paretorank.calibration.base import ScoreMap
from paretorank.calibration.logistic import fit_logistic, logit, sigmoid
from paretorank.metrics import Rows

LEAST_SLOPE: Final = 1e-3
"""Scores that mean nothing, or the opposite, get a line that is almost flat."""


class PlattMap(ScoreMap):
    """Shift and stretch logits: sigmoid(slope logit + intercept)."""

    kind: Literal["platt"] = "platt"
    slope: PositiveFloat
    """Below 1: the scores were too sure of themselves."""
    intercept: float
    """Above 0: the scores were too low."""

    @override
    def apply(self, score: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
        return sigmoid(self.slope * logit(score) + self.intercept)


def fit_platt(rows: Rows) -> PlattMap:
    """Return the line with the least cross-entropy."""
    inputs = np.stack([logit(rows.score), np.ones(len(rows))], axis=1)
    bounds = [(LEAST_SLOPE, None), (None, None)]
    slope, intercept = fit_logistic(inputs, rows, start=(1.0, 0.0), bounds=bounds)
    return PlattMap(slope=slope, intercept=intercept)

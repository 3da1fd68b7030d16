"""Temperature: one number for how sure scores are of themselves.

Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 4.2.
We deviate: targets are smoothed as in Platt scaling.

Shapes: N rows.
"""

from typing import Literal

import numpy as np
from jaxtyping import Float
from pydantic import PositiveFloat
from typing_extensions import override

from paretorank.calibration.base import ScoreMap
from paretorank.calibration.logistic import fit_logistic, logit, sigmoid
from paretorank.calibration.platt import LEAST_SLOPE
from paretorank.metrics import Rows


class TemperatureMap(ScoreMap):
    """Divide logits by one number: sigmoid(logit / temperature)."""

    kind: Literal["temperature"] = "temperature"
    temperature: PositiveFloat
    """Above 1: the scores were too sure of themselves."""

    @override
    def apply(self, score: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
        return sigmoid(logit(score) / self.temperature)


def fit_temperature(rows: Rows) -> TemperatureMap:
    """Return the temperature with the least cross-entropy."""
    inputs = logit(rows.score)[:, None]
    (slope,) = fit_logistic(inputs, rows, start=(1.0,), bounds=[(LEAST_SLOPE, 1 / LEAST_SLOPE)])
    return TemperatureMap(temperature=1.0 / slope)

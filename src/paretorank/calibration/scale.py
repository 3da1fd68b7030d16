"""One factor for expected values, so that their sum is that of the labels (PCOC 1).

Shapes: N rows.
"""

from typing import Literal

import numpy as np
from jaxtyping import Float
from pydantic import PositiveFloat
from typing_extensions import override

from paretorank.calibration.base import ScoreMap
from paretorank.calibration.identity import IdentityMap
from paretorank.metrics import Rows


class ScaleMap(ScoreMap):
    """Multiply expected values by one number."""

    kind: Literal["scale"] = "scale"
    factor: PositiveFloat
    """Above 1: the scores were too low."""

    @override
    def apply(self, score: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
        return self.factor * score.astype(np.float64)


def fit_scale(rows: Rows) -> ScaleMap | IdentityMap:
    """Return the factor; no map where the sum of scores or labels is not positive."""
    predicted, observed = float(rows.weight @ rows.score), float(rows.weight @ rows.label)
    if not (predicted > 0.0 and observed > 0.0 and np.isfinite(observed / predicted)):
        return IdentityMap()
    return ScaleMap(factor=observed / predicted)

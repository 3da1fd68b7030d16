"""What every calibration map is: numbers that turn scores into better scores, and keep their order.

Shapes: N rows.
"""

from abc import ABC, abstractmethod

import numpy as np
from jaxtyping import Float

from paretorank.foundation.section import Section


class ScoreMap(Section, ABC):
    """A fitted function that never decreases; a NaN score stays NaN."""

    @abstractmethod
    def apply(self, score: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
        """Return the calibrated scores, in float64."""

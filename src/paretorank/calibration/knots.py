"""A polygon that never falls: what isotonic regression and histograms leave behind.

Shapes: N rows, K knots.
"""

from itertools import pairwise

import numpy as np
from jaxtyping import Float
from pydantic import model_validator

from paretorank.foundation.section import Section
from paretorank.metrics import Rows


class Knots(Section):
    """Corners of a polygon; flat outside of them."""

    score: tuple[float, ...]
    """Where the corners stand, in rising order."""
    value: tuple[float, ...]
    """What scores become there; never falls."""

    @model_validator(mode="after")
    def _check_order(self) -> "Knots":
        if not self.score or len(self.score) != len(self.value):
            raise ValueError("`score` and `value` must have the same length, at least 1.")
        if any(left >= right for left, right in pairwise(self.score)):
            raise ValueError("`score` must rise from knot to knot.")
        if any(left > right for left, right in pairwise(self.value)):
            raise ValueError("`value` must not fall from knot to knot.")
        return self

    def read(self, score: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
        """Return the height of the polygon; NaN where the score is.

        Rounding cannot make it fall, which that of `numpy.interp` can at a knot.
        """
        knots, values = np.array(self.score), np.array(self.value)
        wanted = np.clip(score.astype(np.float64), knots[0], knots[-1])
        left = np.clip(np.searchsorted(knots, wanted, side="right") - 1, 0, len(knots) - 1)
        right = np.minimum(left + 1, len(knots) - 1)
        width = np.where(right > left, knots[right] - knots[left], 1.0)
        part = (wanted - knots[left]) / width
        return np.minimum(values[left] + part * (values[right] - values[left]), values[right])


def least_chance(rows: Rows) -> float:
    """Return how close to 0 and 1 a rate of these rows may come: 1 / (n + 2).

    Rows without a single event do not prove that it never happens.
    """
    return 1.0 / (float(rows.weight.sum()) + 2.0)

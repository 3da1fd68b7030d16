"""Isotonic regression: the best function that never falls.

Source: Zadrozny and Elkan, Transforming Classifier Scores into Accurate Multiclass Probability
    Estimates, KDD 2002, section 3.2; the fit, by pooling adjacent violators, is scikit-learn's.
We deviate: between its steps the function is interpolated, and chances stay 1 / (n + 2) away from
0 and 1. Rows of one step get one value; ties may change an AUC a little.

Shapes: N rows, K knots.
"""

from typing import Literal

import numpy as np
from jaxtyping import Float
from typing_extensions import override

from paretorank.calibration.base import ScoreMap
from paretorank.calibration.knots import Knots, least_chance
from paretorank.metrics import Rows


class IsotonicMap(ScoreMap):
    """Look scores up in a polygon that never falls."""

    kind: Literal["isotonic"] = "isotonic"
    knots: Knots
    """Ends of the steps, and their heights."""

    @override
    def apply(self, score: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
        return self.knots.read(score)


def fit_isotonic(rows: Rows) -> IsotonicMap:
    """Return the function of chances that is closest to the labels, in squares."""
    least = least_chance(rows)
    scores, values = isotonic_steps(rows)
    return _map_of(scores, np.clip(values, least, 1.0 - least))


def fit_isotonic_value(rows: Rows) -> IsotonicMap:
    """Return the function of expected values that is closest to the labels, in squares."""
    return _map_of(*isotonic_steps(rows))


def isotonic_steps(
    rows: Rows,
) -> tuple[Float[np.ndarray, " K"], Float[np.ndarray, " K"]]:
    """Return the ends of the steps and their heights."""
    from sklearn.isotonic import IsotonicRegression  # a fit is rare, loading takes time

    fitted = IsotonicRegression(out_of_bounds="clip")
    fitted.fit(rows.score, rows.label, sample_weight=rows.weight)
    return np.asarray(fitted.X_thresholds_), np.asarray(fitted.y_thresholds_)


def _map_of(scores: Float[np.ndarray, " K"], values: Float[np.ndarray, " K"]) -> IsotonicMap:
    rising = np.maximum.accumulate(values)  # rounding of the fit may leave a fall of one step
    knots = Knots(score=tuple(map(float, scores)), value=tuple(map(float, rising)))
    return IsotonicMap(knots=knots)

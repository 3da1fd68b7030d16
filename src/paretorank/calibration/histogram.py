"""Histogram binning, smoothed so that it never falls.

Source: Zadrozny and Elkan, Obtaining Calibrated Probability Estimates from Decision Trees and Naive
    Bayesian Classifiers, ICML 2001, section 3, for the bins; Barlow et al., Statistical Inference
    under Order Restrictions, 1972, for pooling bins that violate the order.
We deviate: values are interpolated between the mean scores of the bins, so that few scores tie.

Shapes: N rows, K bins.
"""

from typing import Final, Literal

import numpy as np
from jaxtyping import Float
from typing_extensions import override

from paretorank.calibration.base import ScoreMap
from paretorank.calibration.knots import Knots, least_chance
from paretorank.metrics import Rows

N_BINS: Final = 20


class HistogramMap(ScoreMap):
    """Interpolate between the rates of bins that hold equally many rows."""

    kind: Literal["histogram"] = "histogram"
    knots: Knots
    """Mean score of each bin, and its rate after pooling."""

    @override
    def apply(self, score: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
        return self.knots.read(score)


def fit_histogram(rows: Rows, n_bins: int = N_BINS) -> HistogramMap:
    """Return the rates of bins of equal weight, pooled until none falls."""
    from sklearn.isotonic import isotonic_regression  # a fit is rare, loading takes time

    levels, level = np.unique(rows.score, return_inverse=True)
    mass = np.bincount(level, weights=rows.weight)
    middle = (np.cumsum(mass) - 0.5 * mass) / mass.sum()
    bins = (middle * n_bins).astype(np.intp)
    weight = np.bincount(bins, weights=mass)
    filled = weight > 0.0
    happened = np.bincount(bins[level], weights=rows.weight * rows.label)
    centre = np.bincount(bins, weights=mass * levels)[filled] / weight[filled]
    rate = happened[filled] / weight[filled]
    pooled = np.asarray(isotonic_regression(rate, sample_weight=weight[filled]))
    least = least_chance(rows)
    values = np.maximum.accumulate(np.clip(pooled, least, 1.0 - least))
    kept = np.append(True, np.diff(np.maximum.accumulate(centre)) > 0.0)
    knots = Knots(score=tuple(map(float, centre[kept])), value=tuple(map(float, values[kept])))
    return HistogramMap(knots=knots)

"""What was predicted beside what happened, bin by bin, and in a few numbers.

Source: Wilson, Probable Inference, the Law of Succession, and Statistical Inference, JASA 1927, for
the interval of a rate. Rows count as independent: where few users have many rows, it is too narrow.

Shapes: N rows, K bins.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from paretorank.metrics import (
    AUC,
    EqualMassCalibrationError,
    ExpectedCalibrationError,
    LogLoss,
    MeanAbsoluteError,
    Metric,
    PredictedOverObserved,
    RootMeanSquaredError,
    Rows,
)

N_BINS: Final = 10
_NORMAL_95: Final = 1.959963984540054
"""Quantile of the normal distribution for 95 % intervals."""

CHANCE_METRICS: Final[tuple[type[Metric], ...]] = (
    PredictedOverObserved,
    ExpectedCalibrationError,
    EqualMassCalibrationError,
    LogLoss,
    AUC,
)
VALUE_METRICS: Final[tuple[type[Metric], ...]] = (
    PredictedOverObserved,
    MeanAbsoluteError,
    RootMeanSquaredError,
)


@dataclass(frozen=True)
class ReliabilityBin:
    """Rows with neighbouring scores."""

    n_rows: int
    predicted: float
    """Mean score."""
    observed: float
    """Mean label."""
    low: float
    """Lower end of the 95 % interval of the mean label."""
    high: float
    """Upper end of it."""


def measures(rows: Rows, *, is_chance: bool) -> dict[str, float]:
    """Return what tells whether scores are calibrated, by name; NaN where it is undefined."""
    found = {}
    for kind in CHANCE_METRICS if is_chance else VALUE_METRICS:
        metric = kind()
        metric.update_rows(rows)
        found[metric.name] = metric.result()
    return found


def reliability(rows: Rows, *, is_chance: bool, n_bins: int = N_BINS) -> list[ReliabilityBin]:
    """Return bins that hold about equally many rows; rows with the same score share one."""
    if len(rows) == 0:
        return []
    _, level = np.unique(rows.score, return_inverse=True)
    mass = np.bincount(level, weights=rows.weight)
    middle = (np.cumsum(mass) - 0.5 * mass) / mass.sum()
    bins = (middle * n_bins).astype(np.intp)[level]
    return [_bin(rows, bins == number, is_chance=is_chance) for number in np.unique(bins)]


def wilson_interval(rate: float, n_rows: float) -> tuple[float, float]:
    """Return the 95 % interval of a rate among so many rows."""
    square = _NORMAL_95**2
    centre = (rate + square / (2.0 * n_rows)) / (1.0 + square / n_rows)
    spread = rate * (1.0 - rate) / n_rows + square / (4.0 * n_rows**2)
    half = _NORMAL_95 * float(np.sqrt(spread)) / (1.0 + square / n_rows)
    return max(0.0, centre - half), min(1.0, centre + half)


def _bin(rows: Rows, within: np.ndarray, *, is_chance: bool) -> ReliabilityBin:
    weight = rows.weight[within]
    predicted = float(np.average(rows.score[within], weights=weight))
    observed = float(np.average(rows.label[within], weights=weight))
    n_effective = float(weight.sum() ** 2 / np.square(weight).sum())
    if is_chance:
        low, high = wilson_interval(min(observed, 1.0), n_effective)
    else:
        variance = float(np.average(np.square(rows.label[within] - observed), weights=weight))
        half = _NORMAL_95 * float(np.sqrt(variance / n_effective))
        low, high = observed - half, observed + half
    return ReliabilityBin(int(within.sum()), predicted, observed, low, high)

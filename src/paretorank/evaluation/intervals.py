"""Bootstrap intervals that respect that rows of one user hang together.

Source: Davison and Hinkley, Bootstrap Methods and their Application, 1997, sections 3.8 (clusters)
and 5.3.1 (percentiles). Users are drawn with replacement; all rows of a user come and go together.
Without users every row is drawn on its own.

One deviation: the interval of the calibration error is shifted by its resampling bias, since noise
within a bin can only add to it and the percentiles would lie above the value itself.

Shapes: N rows, C clusters, R resamples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Int

from paretorank.evaluation.resampling import resampled
from paretorank.metrics import ExpectedCalibrationError, Metric, Rows

_CHUNK_CELLS: Final = 4_000_000
"""Counts held at a time: 32 MB."""


@dataclass(frozen=True)
class Interval:
    """Where the metric of a fresh sample of users would probably lie; NaN where nobody knows."""

    low: float = np.nan
    high: float = np.nan


def bootstrap_intervals(
    metrics: Sequence[Metric],
    rows: Rows,
    *,
    n_resamples: int,
    confidence: float,
    generator: np.random.Generator,
) -> list[Interval]:
    """Return a percentile interval for each metric of the same rows.

    It is NaN where a metric is undefined on these rows or cannot be resampled, where there are
    fewer than two clusters, and without resamples.

    Args:
        metrics: have seen exactly `rows`.
        rows: their groups are the clusters.
        n_resamples: 200 gives the width to about a tenth; 0 switches intervals off.
        confidence: share of fresh samples that should fall inside, between 0 and 1.
        generator: draws the clusters.

    Raises:
        ValueError: `confidence` or `n_resamples` is out of range.
    """
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"`confidence` must be between 0 and 1, got {confidence}.")
    if n_resamples < 0:
        raise ValueError(f"`n_resamples` must be at least 0, got {n_resamples}.")
    intervals = [Interval()] * len(metrics)
    if n_resamples == 0 or len(rows) == 0:
        return intervals
    cluster = _cluster_of_row(rows)
    if cluster.max() == 0:  # a single cluster always draws itself
        return intervals
    known = [index for index, metric in enumerate(metrics) if metric.reason() is None]
    draws = _draws([metrics[index] for index in known], rows, cluster, n_resamples, generator)
    for index, drawn in zip(known, draws, strict=True):
        intervals[index] = _percentiles(metrics[index], drawn, confidence)
    return intervals


def resampling_counts(
    n_clusters: int, n_resamples: int, generator: np.random.Generator
) -> Float[np.ndarray, "R C"]:
    """Return how often each cluster is drawn when as many are drawn as there are."""
    counts = np.empty((n_resamples, n_clusters))
    for row in counts:
        drawn = generator.integers(0, n_clusters, n_clusters)
        row[:] = np.bincount(drawn, minlength=n_clusters)
    return counts


def _cluster_of_row(rows: Rows) -> Int[np.ndarray, " N"]:
    """Number the users from 0, or the rows where users are not known."""
    if rows.group is None:
        return np.arange(len(rows))
    return np.unique(rows.group, return_inverse=True)[1]


def _draws(
    metrics: Sequence[Metric],
    rows: Rows,
    cluster: Int[np.ndarray, " N"],
    n_resamples: int,
    generator: np.random.Generator,
) -> list[Float[np.ndarray, " R"]]:
    """Return every metric of every resample; nothing for a metric that cannot be resampled."""
    prepared = [resampled(metric, rows, cluster) for metric in metrics]
    parts: list[list[np.ndarray]] = [[np.empty(0)] for _ in metrics]
    n_clusters = int(cluster.max()) + 1
    chunk = max(1, _CHUNK_CELLS // n_clusters)
    for start in range(0, n_resamples, chunk):
        counts = resampling_counts(n_clusters, min(chunk, n_resamples - start), generator)
        for part, statistic in zip(parts, prepared, strict=True):
            if statistic is not None:
                part.append(statistic.values(counts, counts @ statistic.columns))
    return [np.concatenate(part) for part in parts]


def _percentiles(metric: Metric, draws: Float[np.ndarray, " R"], confidence: float) -> Interval:
    """Return the middle part of the draws that are defined."""
    draws = draws[np.isfinite(draws)]
    if len(draws) == 0:
        return Interval()
    tail = 0.5 * (1.0 - confidence)
    low, high = (float(end) for end in np.quantile(draws, [tail, 1.0 - tail]))
    if isinstance(metric, ExpectedCalibrationError):
        bias = float(draws.mean()) - metric.result()
        return Interval(max(0.0, low - bias), max(0.0, high - bias))
    return Interval(low, high)

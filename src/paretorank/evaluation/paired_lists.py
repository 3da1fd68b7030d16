"""Differences between scores of the same rows, with intervals over users.

Source: Davison and Hinkley, Bootstrap Methods and their Application, 1997, sections 3.8 (clusters)
and 5.3.1 (percentiles). Users are drawn with replacement, all their lists with them, and the same
draws serve all scores: what users have in common cancels in a difference.

Shapes: N rows, C clusters (users), S scores, M metrics, D draws.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Float, Int, Shaped

from paretorank.evaluation.intervals import Interval, resampling_counts
from paretorank.evaluation.list_metrics import ListMeasure

_CHUNK_CELLS: Final = 4_000_000
"""Counts held at a time: 32 MB."""


class PairedLists:
    """Metrics of several scores, and the same of every draw of users.

    Args:
        measure: of the rows.
        scores: of the same rows; the first is what others are compared with.
        cluster: number of the user of each row, from 0 on.
        n_resamples: how many draws; 0 leaves intervals undefined.
        confidence: share of fresh samples that should fall inside an interval.
        generator: draws the users.
    """

    def __init__(
        self,
        measure: ListMeasure,
        scores: Sequence[Float[np.ndarray, " N"]],
        cluster: Int[np.ndarray, " N"],
        *,
        n_resamples: int,
        confidence: float,
        generator: np.random.Generator,
    ) -> None:
        n_clusters = int(cluster.max(initial=-1)) + 1
        columns = [_cluster_columns(measure, score, cluster, n_clusters) for score in scores]
        shape = (-1, len(scores), len(measure.metrics), 2)
        sums = np.concatenate(columns, axis=1)
        self.values = _ratios(sums.sum(axis=0).reshape(shape))[0]
        """S scores by M metrics."""
        n_drawn = n_resamples if n_clusters > 1 else 0  # a single user always draws itself
        drawn = _drawn_sums(sums, n_drawn, generator)
        self._draws: Float[np.ndarray, "D S M"] = _ratios(drawn.reshape(shape))
        self._tail = 0.5 * (1.0 - confidence)

    def difference(self, score: int, metric: int, *, share: float = 1.0) -> tuple[float, Interval]:
        """Return by how much a score exceeds the first one, or a share of it."""
        value = self.values[score, metric] - share * self.values[0, metric]
        draws = self._draws[:, score, metric] - share * self._draws[:, 0, metric]
        return float(value), self._interval(draws)

    def excess(self, score: int, metric: int, floor: float) -> tuple[float, Interval]:
        """Return by how much a score exceeds a number."""
        value = self.values[score, metric] - floor
        return float(value), self._interval(self._draws[:, score, metric] - floor)

    def _interval(self, draws: Float[np.ndarray, " D"]) -> Interval:
        draws = draws[np.isfinite(draws)]
        if not len(draws):
            return Interval()
        low, high = np.quantile(draws, [self._tail, 1.0 - self._tail])
        return Interval(float(low), float(high))


def _cluster_columns(
    measure: ListMeasure,
    score: Float[np.ndarray, " N"],
    cluster: Int[np.ndarray, " N"],
    n_clusters: int,
) -> Float[np.ndarray, "C columns"]:
    """Return for each user what stands above and below the line of every metric."""
    columns = []
    for metric, terms in zip(measure.metrics, measure.terms(score), strict=True):
        owner = cluster[measure.first_rows(metric)]
        parts = (terms.above, terms.below)
        columns += [np.bincount(owner, weights=part, minlength=n_clusters) for part in parts]
    return np.stack(columns, axis=1)


def _drawn_sums(
    sums: Float[np.ndarray, "C columns"], n_resamples: int, generator: np.random.Generator
) -> Float[np.ndarray, "D columns"]:
    parts = [np.empty((0, sums.shape[1]))]
    chunk = max(1, _CHUNK_CELLS // max(1, len(sums)))
    for start in range(0, n_resamples, chunk):
        n_drawn = min(chunk, n_resamples - start)
        parts.append(resampling_counts(len(sums), n_drawn, generator) @ sums)
    return np.concatenate(parts)


def _ratios(sums: Shaped[np.ndarray, "D S M two"]) -> Float[np.ndarray, "D S M"]:
    above, below = sums[..., 0], sums[..., 1]
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0.0)

"""Metrics prepared so that many resamples of users cost little.

AUC sorts once and reweights its pairs; GAUC reweights the users' own AUCs; metrics of sums resample
the sums of the users. XAUC is linearised, and so is AUC on request: a resample moves it by the
influence of its users, the first-order (Hajek) term of a ratio of U-statistics; what is left out
vanishes with the number of users.

Shapes: N rows, C clusters (users, or rows without users), S columns, R resamples.
"""

from abc import ABC, abstractmethod

import numpy as np
from jaxtyping import Float, Int
from typing_extensions import override

from paretorank.metrics import (
    AUC,
    XAUC,
    GroupedAUC,
    Metric,
    RankedPairs,
    Rows,
    SumMetric,
    auc_influence,
)


class Resampled(ABC):
    """A metric as a function of how often each cluster was drawn."""

    def __init__(self, columns: Float[np.ndarray, "C S"]) -> None:
        self.columns = columns
        """Numbers of each cluster that add up over the clusters drawn."""

    @abstractmethod
    def values(
        self, counts: Float[np.ndarray, "R C"], sums: Float[np.ndarray, "R S"]
    ) -> Float[np.ndarray, " R"]:
        """Return the metric of each resample; NaN where it is undefined.

        Args:
            counts: how often each cluster was drawn.
            sums: `counts @ columns`.
        """


def resampled(
    metric: Metric, rows: Rows, cluster: Int[np.ndarray, " N"], *, linearised: bool = False
) -> Resampled | None:
    """Return a defined metric ready for resampling, None if there is no way known.

    Args:
        metric: has seen exactly `rows`, in this order.
        rows: what the clusters are made of.
        cluster: number of the cluster of each row, in the order of the sorted users.
        linearised: AUC costs one pass over the clusters a resample, not one over the rows.
    """
    match metric:
        case SumMetric():
            return _OfSums(metric, rows, cluster)
        case AUC():
            if linearised:
                return _OfInfluence(metric, auc_influence(rows), cluster)
            return _OfPairs(rows, cluster)
        case GroupedAUC():
            return _OfUsers(metric)
        case XAUC():
            return _OfInfluence(metric, _xauc_influence(metric), cluster)
        case _:
            return None


class _OfSums(Resampled):
    """A metric of sums needs the sums of each cluster."""

    def __init__(self, metric: SumMetric, rows: Rows, cluster: Int[np.ndarray, " N"]) -> None:
        super().__init__(_cluster_sums(metric.row_terms(rows), cluster))
        self._metric = metric

    @override
    def values(
        self, counts: Float[np.ndarray, "R C"], sums: Float[np.ndarray, "R S"]
    ) -> Float[np.ndarray, " R"]:
        return self._metric.of_sums(sums)


class _OfPairs(Resampled):
    """AUC needs the rows in the order of their scores, once."""

    def __init__(self, rows: Rows, cluster: Int[np.ndarray, " N"]) -> None:
        super().__init__(np.empty((int(cluster.max()) + 1, 0)))
        order = np.argsort(rows.score, kind="stable")  # sorted rows are read from front to back
        self._weight, self._cluster = rows.weight[order], cluster[order]
        self._pairs = RankedPairs(Rows(rows.score[order], rows.label[order], self._weight))

    @override
    def values(
        self, counts: Float[np.ndarray, "R C"], sums: Float[np.ndarray, "R S"]
    ) -> Float[np.ndarray, " R"]:
        return np.array([self._pairs.auc(self._weight * count[self._cluster]) for count in counts])


class _OfUsers(Resampled):
    """GAUC needs the AUC and the weight of each user, who is the cluster."""

    def __init__(self, metric: GroupedAUC) -> None:
        users = metric.users()
        weight = np.where(users.has_both_classes, users.weights(metric.weighting), 0.0)
        super().__init__(np.stack([weight * np.nan_to_num(users.auc), weight], axis=1))

    @override
    def values(
        self, counts: Float[np.ndarray, "R C"], sums: Float[np.ndarray, "R S"]
    ) -> Float[np.ndarray, " R"]:
        undefined = np.full(len(sums), np.nan)
        return np.divide(sums[:, 0], sums[:, 1], out=undefined, where=sums[:, 1] > 0.0)


class _OfInfluence(Resampled):
    """AUC and XAUC need by how much each cluster pulls them up or down."""

    def __init__(
        self,
        metric: AUC | XAUC,
        influence: Float[np.ndarray, " N"],
        cluster: Int[np.ndarray, " N"],
    ) -> None:
        self._value = metric.result()
        super().__init__(_cluster_sums(influence[:, None], cluster))

    @override
    def values(
        self, counts: Float[np.ndarray, "R C"], sums: Float[np.ndarray, "R S"]
    ) -> Float[np.ndarray, " R"]:
        return self._value + sums[:, 0]


def _xauc_influence(metric: XAUC) -> Float[np.ndarray, " N"]:
    """Return how fast XAUC rises when a row counts more often."""
    weight, pairs = metric.rows().weight, metric.pairs()
    pull = weight * (pairs.won - metric.result() * pairs.comparable)
    # Both ends of a pair are drawn: its count changes twice as fast as that of one row.
    return 2.0 * pull / float(weight @ pairs.comparable)


def _cluster_sums(
    terms: Float[np.ndarray, "N S"], cluster: Int[np.ndarray, " N"]
) -> Float[np.ndarray, "C S"]:
    """Add up the rows of each cluster."""
    return np.stack([np.bincount(cluster, weights=column) for column in terms.T], axis=1)

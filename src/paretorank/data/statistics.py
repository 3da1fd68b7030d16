"""Target statistics: smoothed rates and counts of every task for an entity or a cross of entities.

Source: Micci-Barreca, "A Preprocessing Scheme for High-Cardinality Categorical Attributes", SIGKDD
Explorations 2001 (smoothing); the leak-free use on training rows follows the ordered target
statistics of Prokhorenkova et al., "CatBoost", NeurIPS 2018, section 3.2, with real time in place
of a random order. Without time, each training row sees the other folds only.

Shapes: N rows, T tasks, E entities.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float32, Float64, Int64, UInt64

from paretorank.data.hashing import mix, stable_hash
from paretorank.data.vocabulary import canonical
from paretorank.schema import LabelKind, StatisticConfig

N_FOLDS = 5
_MIN_RATE = 1e-6


@dataclass(frozen=True)
class Totals:
    """Sums and counts of the observed labels of some rows, per task, and the number of rows."""

    sums: Float64[np.ndarray, "N T"]
    counts: Float64[np.ndarray, "N T"]
    rows: Float64[np.ndarray, " N"]


@dataclass(frozen=True)
class Overall:
    """Mean, spread and kind of every task on the training rows."""

    names: tuple[str, ...]
    kinds: tuple[LabelKind, ...]
    means: Float64[np.ndarray, " T"]
    stds: Float64[np.ndarray, " T"]

    def of(self, names: tuple[str, ...]) -> "Overall":
        """Return the part for some tasks."""
        at = [self.names.index(name) for name in names]
        return Overall(names, tuple(self.kinds[i] for i in at), self.means[at], self.stds[at])


@dataclass(frozen=True)
class FittedStatistic:
    """What every entity did on the training rows; the same numbers serve later rows."""

    config: StatisticConfig
    task_names: tuple[str, ...]
    kinds: tuple[str, ...]
    keys: UInt64[np.ndarray, " E"]
    totals: Totals

    def look_up(self, entity: UInt64[np.ndarray, " N"]) -> Totals:
        """Return the totals of each row's entity; zero for an entity not seen in training."""
        if not len(self.keys):
            empty = np.zeros((len(entity), self.totals.sums.shape[1]))
            return Totals(empty, empty, np.zeros(len(entity)))
        at = np.minimum(np.searchsorted(self.keys, entity), len(self.keys) - 1)
        known = self.keys[at] == entity
        return Totals(
            np.where(known[:, None], self.totals.sums[at], 0.0),
            np.where(known[:, None], self.totals.counts[at], 0.0),
            np.where(known, self.totals.rows[at], 0.0),
        )


def entity_keys(
    frame: pl.DataFrame, columns: tuple[str, ...], kinds: tuple[str, ...]
) -> UInt64[np.ndarray, " N"]:
    """Return one hash per row that names the entity; rows with a null key get 0, no entity."""
    combined = np.zeros(len(frame), dtype=np.int64)
    known = np.ones(len(frame), dtype=bool)
    for column, kind in zip(columns, kinds, strict=True):
        values = canonical(frame[column], "int" if kind == "int" else "text")
        known &= values.is_not_null().to_numpy()
        combined = mix(combined ^ stable_hash(values).view(np.int64)).view(np.int64)
    return np.where(known, combined.view(np.uint64), np.uint64(0))


def fit_totals(
    entity: UInt64[np.ndarray, " N"], labels: Float32[np.ndarray, "N T"]
) -> tuple[UInt64[np.ndarray, " E"], Totals]:
    """Return the entities, sorted, and their totals over all given rows."""
    keys, code = np.unique(entity, return_inverse=True)
    totals = _grouped(code, len(keys), labels)
    kept = keys != 0
    return keys[kept], Totals(totals.sums[kept], totals.counts[kept], totals.rows[kept])


def past_totals(
    entity: UInt64[np.ndarray, " N"],
    labels: Float32[np.ndarray, "N T"],
    period: Int64[np.ndarray, " N"] | Float64[np.ndarray, " N"],
) -> Totals:
    """Return for each row the totals of its entity over rows of strictly earlier periods."""
    order = np.lexsort((period, entity))
    entity_sorted, period_sorted = entity[order], period[order]
    new_entity = np.r_[True, entity_sorted[1:] != entity_sorted[:-1]]
    new_group = new_entity | np.r_[True, period_sorted[1:] != period_sorted[:-1]]
    entity_start = _start_of(new_entity)
    group_start = _start_of(new_group)
    n_tasks = labels.shape[1]
    sums, counts = np.zeros((len(entity), n_tasks)), np.zeros((len(entity), n_tasks))
    for task in range(n_tasks):
        label = labels[order, task].astype(np.float64)
        observed = ~np.isnan(label)
        for target, value in ((sums, np.where(observed, label, 0.0)), (counts, observed)):
            running = np.r_[0.0, np.cumsum(value, dtype=np.float64)]
            target[order, task] = running[group_start] - running[entity_start]
    rows = np.zeros(len(entity))
    rows[order] = group_start - entity_start
    return _without_null_entity(entity, Totals(sums, counts, rows))


def other_fold_totals(
    entity: UInt64[np.ndarray, " N"],
    labels: Float32[np.ndarray, "N T"],
    fold: Int64[np.ndarray, " N"],
) -> Totals:
    """Return for each row the totals of its entity over the rows of other folds."""
    keys, code = np.unique(entity, return_inverse=True)
    whole = _grouped(code, len(keys), labels)
    cell = code * N_FOLDS + fold
    part = _grouped(cell, len(keys) * N_FOLDS, labels)
    other = Totals(
        whole.sums[code] - part.sums[cell],
        whole.counts[code] - part.counts[cell],
        whole.rows[code] - part.rows[cell],
    )
    return _without_null_entity(entity, other)


def statistic_features(
    totals: Totals, overall: Overall, smoothing: float
) -> Float32[np.ndarray, "N C"]:
    """Return per task the smoothed rate relative to the overall one, and the log count of rows."""
    n_rows, n_tasks = totals.sums.shape
    features = np.empty((n_rows, n_tasks + 1), dtype=np.float32)
    for task, kind in enumerate(overall.kinds):
        mean = overall.means[task]
        weight = totals.counts[:, task] + smoothing
        rate = (totals.sums[:, task] + smoothing * mean) / np.where(weight > 0, weight, 1.0)
        rate = np.where(weight > 0, rate, mean)
        features[:, task] = _relative(rate, mean, overall.stds[task], kind)
    features[:, n_tasks] = np.log1p(totals.rows)
    return features


def _relative(rate: np.ndarray, mean: float, std: float, kind: LabelKind) -> np.ndarray:
    match kind:
        case "binary":
            return _logit(rate) - _logit(np.array([mean]))
        case "duration" | "count":
            return np.log1p(rate) - np.log1p(mean)
        case "regression":
            return (rate - mean) / (std if std > 0 else 1.0)


def _logit(rate: np.ndarray) -> np.ndarray:
    rate = np.clip(rate, _MIN_RATE, 1 - _MIN_RATE)
    return np.log(rate) - np.log1p(-rate)


def _grouped(code: np.ndarray, n_groups: int, labels: np.ndarray) -> Totals:
    sums, counts = np.zeros((n_groups, labels.shape[1])), np.zeros((n_groups, labels.shape[1]))
    for task in range(labels.shape[1]):
        label = labels[:, task].astype(np.float64)
        observed = ~np.isnan(label)
        sums[:, task] = np.bincount(code, np.where(observed, label, 0.0), n_groups)
        counts[:, task] = np.bincount(code, observed, n_groups)
    return Totals(sums, counts, np.bincount(code, minlength=n_groups).astype(np.float64))


def _start_of(is_new: np.ndarray) -> np.ndarray:
    starts = np.flatnonzero(is_new)
    return starts[np.cumsum(is_new) - 1]


def _without_null_entity(entity: np.ndarray, totals: Totals) -> Totals:
    known = entity != 0
    return Totals(totals.sums * known[:, None], totals.counts * known[:, None], totals.rows * known)

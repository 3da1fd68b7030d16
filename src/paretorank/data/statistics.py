"""Target statistics: smoothed rates and counts of every task for an entity or a cross of entities.

Source: Micci-Barreca, "A Preprocessing Scheme for High-Cardinality Categorical Attributes", SIGKDD
Explorations 2001 (smoothing); the leak-free use on training rows follows the ordered target
statistics of Prokhorenkova et al., "CatBoost", NeurIPS 2018, section 3.2, with real time in place
of a random order. Without time, each training row sees the other folds only.

Shapes: N rows, T tasks, E entities.
"""

from collections.abc import Sequence
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


@dataclass(frozen=True)
class Entities:
    """The rows of every entity."""

    keys: UInt64[np.ndarray, " E"]
    code: Int64[np.ndarray, " N"]
    """Place of each row's entity among the keys."""
    order: Int64[np.ndarray, " N"]
    """Rows by entity, then by period, then as they came."""


def group_rows(entity: UInt64[np.ndarray, " N"], period: np.ndarray | None = None) -> Entities:
    """Sort rows by entity and period, once for all that is computed of them."""
    order = _stable_order(entity, period)
    in_order = entity[order]
    is_new = _changes(in_order)
    code = np.empty(len(entity), np.int64)
    code[order] = np.cumsum(is_new) - 1
    return Entities(in_order[is_new], code, order)


def fit_totals(
    entity: UInt64[np.ndarray, " N"],
    labels: Float32[np.ndarray, "N T"],
    entities: Entities | None = None,
) -> tuple[UInt64[np.ndarray, " E"], Totals]:
    """Return the entities, sorted, and their totals over all given rows."""
    entities = entities or group_rows(entity)
    keys = entities.keys
    totals = _grouped(entities.code, len(keys), labels)
    if not len(keys) or keys[0] != 0:
        return keys, totals
    return keys[1:], Totals(totals.sums[1:], totals.counts[1:], totals.rows[1:])


def add_totals(
    parts: Sequence[tuple[UInt64[np.ndarray, " _"], Totals]],
) -> tuple[UInt64[np.ndarray, " E"], Totals]:
    """Return the entities of all parts, sorted, with the sum of their totals."""
    keys, code = np.unique(np.concatenate([keys for keys, _ in parts]), return_inverse=True)

    def summed(values: list[np.ndarray]) -> np.ndarray:
        joined = np.concatenate(values)
        result = np.zeros((len(keys), *joined.shape[1:]))
        np.add.at(result, code, joined)
        return result

    totals = [totals for _, totals in parts]
    return keys, Totals(
        summed([part.sums for part in totals]),
        summed([part.counts for part in totals]),
        summed([part.rows for part in totals]),
    )


def past_totals(
    entity: UInt64[np.ndarray, " N"],
    labels: Float32[np.ndarray, "N T"],
    period: Int64[np.ndarray, " N"] | Float64[np.ndarray, " N"],
) -> Totals:
    """Return for each row the totals of its entity over rows of strictly earlier periods."""
    entities = group_rows(entity, period)
    past = past_totals_in_order(entities, labels, period)
    place = np.empty_like(entities.order)
    place[entities.order] = np.arange(len(entity))
    return Totals(past.sums[place], past.counts[place], past.rows[place])


def past_totals_in_order(
    entities: Entities,
    labels: Float32[np.ndarray, "N T"],
    period: Int64[np.ndarray, " N"] | Float64[np.ndarray, " N"],
) -> Totals:
    """Return what `past_totals` does, in the order of rows that was made of the same periods."""
    order = entities.order
    code = entities.code[order]
    new_entity = _changes(code)
    start = _start_of(new_entity)
    stop = _start_of(new_entity | _changes(period[order]))
    rows = (stop - start).astype(np.float64)
    by_row = labels[order]
    sums, counts = np.empty(labels.shape), np.empty(labels.shape)
    for task in range(labels.shape[1]):
        label = by_row[:, task].astype(np.float64)
        absent = np.isnan(label)
        if absent.any():
            label[absent] = 0.0
            counts[:, task] = _between(~absent, start, stop)
        else:
            counts[:, task] = rows
        sums[:, task] = _between(label, start, stop)
    if len(entities.keys) and entities.keys[0] == 0:  # rows without an entity come first
        n_without = int(np.searchsorted(code, 1))
        sums[:n_without], counts[:n_without], rows[:n_without] = 0.0, 0.0, 0.0
    return Totals(sums, counts, rows)


def other_fold_totals(
    entity: UInt64[np.ndarray, " N"],
    labels: Float32[np.ndarray, "N T"],
    fold: Int64[np.ndarray, " N"],
    entities: Entities | None = None,
) -> Totals:
    """Return for each row the totals of its entity over the rows of other folds."""
    entities = entities or group_rows(entity)
    code, n_keys = entities.code, len(entities.keys)
    whole = _grouped(code, n_keys, labels)
    cell = code * N_FOLDS + fold
    part = _grouped(cell, n_keys * N_FOLDS, labels)
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
            # sums of huge labels cancel, and may leave a rate just below zero
            return np.log1p(np.maximum(rate, 0.0)) - np.log1p(mean)
        case "regression" | "ordinal":
            return (rate - mean) / (std if std > 0 else 1.0)


def _logit(rate: np.ndarray) -> np.ndarray:
    rate = np.clip(rate, _MIN_RATE, 1 - _MIN_RATE)
    return np.log(rate) - np.log1p(-rate)


def _stable_order(entity: np.ndarray, period: np.ndarray | None) -> np.ndarray:
    """Return the stable order by entity, then period, as `np.lexsort` would, five times faster.

    The upper bits of the entity and the row in one integer sort without an index; the few
    entities that agree in those bits are put right afterwards.
    """
    first: np.ndarray | None = None
    if period is not None and not bool((period[1:] >= period[:-1]).all()):
        first = np.argsort(period, kind="stable")
        entity = entity[first]
    n_bits = np.uint64(max(1, len(entity).bit_length()))
    packed = entity >> n_bits << n_bits | np.arange(len(entity), dtype=np.uint64)
    packed.sort()
    order = (packed & ((np.uint64(1) << n_bits) - np.uint64(1))).view(np.int64)
    in_order = entity[order]
    same = packed[1:] >> n_bits == packed[:-1] >> n_bits
    if bool((same & (in_order[1:] != in_order[:-1])).any()):
        run = np.cumsum(np.r_[True, ~same]) - 1
        mixed = np.zeros(int(run[-1]) + 1, bool)
        mixed[run[1:][same & (in_order[1:] != in_order[:-1])]] = True
        wrong = np.flatnonzero(mixed[run])
        order[wrong] = order[wrong][np.argsort(in_order[wrong], kind="stable")]
    return order if first is None else first[order]


def _changes(values: np.ndarray) -> np.ndarray:
    """Return where a sorted array has another value than before; the first one always has."""
    is_new = np.ones(len(values), bool)
    np.not_equal(values[1:], values[:-1], out=is_new[1:])
    return is_new


def _between(values: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Return sums of the rows from start up to, not including, stop."""
    running = np.zeros(len(values) + 1)
    np.cumsum(values, dtype=np.float64, out=running[1:])
    return running[stop] - running[start]


def _grouped(code: np.ndarray, n_groups: int, labels: np.ndarray) -> Totals:
    rows = np.bincount(code, minlength=n_groups).astype(np.float64)
    sums, counts = np.empty((n_groups, labels.shape[1])), np.empty((n_groups, labels.shape[1]))
    for task in range(labels.shape[1]):
        label = labels[:, task].astype(np.float64)
        absent = np.isnan(label)
        if not absent.any():
            counts[:, task] = rows
        else:
            label[absent] = 0.0
            counts[:, task] = np.bincount(code, ~absent, n_groups)
        sums[:, task] = np.bincount(code, label, n_groups)
    return Totals(sums, counts, rows)


def _start_of(is_new: np.ndarray) -> np.ndarray:
    starts = np.flatnonzero(is_new)
    return starts[np.cumsum(is_new) - 1]


def _without_null_entity(entity: np.ndarray, totals: Totals) -> Totals:
    known = entity != 0
    if known.all():
        return totals
    return Totals(totals.sums * known[:, None], totals.counts * known[:, None], totals.rows * known)

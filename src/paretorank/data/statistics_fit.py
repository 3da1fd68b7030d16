"""Target statistics of the training rows: the only part of fitting that keeps something per row.

Per training row it keeps a hash per statistic, its labels and its moment, and then one number per
column of statistics; the latter go to a file where a folder for it is given.

Shapes: N training rows, T tasks, S columns of statistics.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float32, Float64

from paretorank.data.hashing import mix
from paretorank.data.labels import LABEL_PREFIX
from paretorank.data.statistics import (
    N_FOLDS,
    FittedStatistic,
    Overall,
    Totals,
    entity_keys,
    fit_totals,
    group_rows,
    other_fold_totals,
    past_totals_in_order,
    statistic_features,
)
from paretorank.data.timeline import moments, seconds
from paretorank.data.vocabulary import INTEGERS
from paretorank.schema import LabelSpec, StatisticConfig

_BLOCK_ROWS = 1 << 20


class StatisticsFit:
    """Keys, labels and moments of the training rows seen so far."""

    def __init__(
        self,
        statistics: Mapping[str, StatisticConfig],
        labels: Sequence[LabelSpec],
        time: str | None,
    ) -> None:
        self._statistics = statistics
        self._specs = labels
        self._time = time if statistics else None
        self._spread = _Spread(len(labels))
        self._labels: list[np.ndarray] = []
        self._moments: list[np.ndarray] = []
        self._entities: dict[str, list[np.ndarray]] = {name: [] for name in statistics}
        self._key_kinds: dict[str, tuple[str, ...]] = {}
        self._time_dtype: pl.DataType = pl.Int64()

    def update(self, chunk: pl.DataFrame) -> None:
        """Take in one chunk of training rows; labels are columns as `LABEL_PREFIX` says."""
        names = [LABEL_PREFIX + label.name for label in self._specs]
        labels = chunk.select(pl.col(names).fill_null(float("nan")).cast(pl.Float32)).to_numpy()
        if not self._statistics:
            self._spread.update(labels)
            return
        self._labels.append(labels)
        if self._time is not None:
            self._time_dtype = chunk[self._time].dtype
            self._moments.append(moments(chunk[self._time]))
        for name, statistic in self._statistics.items():
            if name not in self._key_kinds:
                # By type, not by value: a later chunk may hold fractions where this one has none.
                self._key_kinds[name] = tuple(
                    "int" if chunk[column].dtype in INTEGERS else "text" for column in statistic.of
                )
            keys = entity_keys(chunk, statistic.of, self._key_kinds[name])
            self._entities[name].append(keys)

    def finish(
        self, scratch: Path | None = None
    ) -> tuple[dict[str, FittedStatistic], Overall, Float32[np.ndarray, "N S"]]:
        """Return the statistics, what they are relative to, and the training rows' own values.

        Args:
            scratch: a file that holds the values of the training rows instead of memory.
        """
        labels = _joined(self._labels, np.zeros((0, len(self._specs)), np.float32))
        overall = self._overall(labels)
        time = _joined(self._moments, np.zeros(0)) if self._moments else None
        fitted: dict[str, FittedStatistic] = {}
        tasks = {n: c.tasks or overall.names for n, c in self._statistics.items()}
        train = _rows_by(len(labels), sum(len(names) + 1 for names in tasks.values()), scratch)
        column = 0
        for name, config in self._statistics.items():
            at = [overall.names.index(task) for task in tasks[name]]
            part = labels if at == list(range(labels.shape[1])) else labels[:, at]
            entity = _joined(self._entities.pop(name), np.zeros(0, np.uint64))
            totals, own, order = self._totals(config, entity, part, time)
            kinds = self._key_kinds.get(name, ("int",) * len(config.of))
            fitted[name] = FittedStatistic(config, tuple(tasks[name]), kinds, *totals)
            target = train[:, column : column + len(at) + 1]
            features = partial(
                statistic_features,
                overall=overall.of(tuple(tasks[name])),
                smoothing=config.smoothing,
            )
            _fill(target, own, order, features)
            column += len(at) + 1
        return fitted, overall, train

    def _totals(
        self,
        config: StatisticConfig,
        entity: np.ndarray,
        labels: np.ndarray,
        time: np.ndarray | None,
    ) -> tuple[tuple[np.ndarray, Totals], Totals, np.ndarray | None]:
        """Return the totals of every entity, what rows may see of their own, and which rows.

        Periods that put all rows into one would leave nothing to see, while later rows see
        everything: then moments count, and without two moments, folds.
        """
        period = self._period(config, time)
        entities = group_rows(entity, period)
        totals = fit_totals(entity, labels, entities)
        if period is not None:
            return totals, past_totals_in_order(entities, labels, period), entities.order
        fold = mix(np.arange(len(entity))) % np.uint64(N_FOLDS)
        return totals, other_fold_totals(entity, labels, fold.astype(np.int64), entities), None

    def _period(self, config: StatisticConfig, time: np.ndarray | None) -> np.ndarray | None:
        if time is not None and config.refresh_s:
            period = np.floor(seconds(self._time_dtype, time) / config.refresh_s)
            if _differ(period):
                return period
        return time if time is not None and _differ(time) else None

    def _overall(self, labels: np.ndarray) -> Overall:
        names = tuple(label.name for label in self._specs)
        kinds = tuple(label.kind for label in self._specs)
        if self._statistics:
            self._spread.update(labels)  # all at once: the same number for chunks of any size
        return Overall(names, kinds, self._spread.means, self._spread.stds)


class _Spread:
    """Mean and spread of observed labels; parts merge (Chan, Golub, LeVeque, 1983)."""

    def __init__(self, n_tasks: int) -> None:
        self._counts = np.zeros(n_tasks)
        self._means = np.zeros(n_tasks)
        self._squares = np.zeros(n_tasks)

    def update(self, labels: Float32[np.ndarray, "N T"]) -> None:
        """Take in more rows."""
        for task in range(labels.shape[1]):
            values = labels[:, task].astype(np.float64)
            values = values[~np.isnan(values)]
            if not len(values):
                continue
            mean, before = values.mean(), self._counts[task]
            total, gap = before + len(values), mean - self._means[task]
            values -= mean
            self._squares[task] += np.dot(values, values) + gap**2 * before * len(values) / total
            self._means[task] = self._means[task] + gap * len(values) / total if before else mean
            self._counts[task] = total

    @property
    def means(self) -> Float64[np.ndarray, " T"]:
        """Return the mean per task; 0 for a label that is never observed."""
        return self._means.copy()

    @property
    def stds(self) -> Float64[np.ndarray, " T"]:
        """Return the standard deviation per task; 1 for a label that is never observed."""
        counts = np.maximum(self._counts, 1)
        return np.where(self._counts > 0, np.sqrt(self._squares / counts), 1.0)


def _joined(parts: list[np.ndarray], nothing: np.ndarray) -> np.ndarray:
    whole = np.concatenate(parts) if parts else nothing
    parts.clear()
    return whole


def _rows_by(n_rows: int, n_columns: int, scratch: Path | None) -> np.ndarray:
    if scratch is None or not n_rows * n_columns:
        return np.zeros((n_rows, n_columns), np.float32)
    return np.memmap(scratch, np.float32, "w+", shape=(n_rows, n_columns))


def _fill(
    target: np.ndarray,
    own: Totals,
    order: np.ndarray | None,
    features: Callable[[Totals], np.ndarray],
) -> None:
    for start in range(0, len(target), _BLOCK_ROWS):
        rows = slice(start, start + _BLOCK_ROWS)
        part = Totals(own.sums[rows], own.counts[rows], own.rows[rows])
        target[rows if order is None else order[rows]] = features(part)


def _differ(values: np.ndarray) -> bool:
    known = values[np.isfinite(values)]
    return bool(len(known)) and bool(known.min() < known.max())

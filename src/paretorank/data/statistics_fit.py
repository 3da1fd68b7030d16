"""Target statistics of the training rows: the only part of fitting that keeps something per row.

Per training row it keeps a hash per statistic, its labels and its moment, and then one number per
column of statistics. Where a folder is given, all of it is on disk: entities fall into parts by
their hash, one part after another is computed in memory, and a part has at most some millions of
rows unless a single entity has more.

Shapes: N training rows, T tasks, S columns of statistics.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float32, Float64

from paretorank.data.hashing import mix
from paretorank.data.labels import LABEL_PREFIX
from paretorank.data.row_store import BLOCK_ROWS, RowStore
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

_PART_ROWS = 2_000_000
_MOST_PARTS = 256  # each is an open file
_KEY_BITS = 64


class StatisticsFit:
    """Keys, labels and moments of the training rows seen so far."""

    def __init__(
        self,
        statistics: Mapping[str, StatisticConfig],
        labels: Sequence[LabelSpec],
        time: str | None,
        *,
        folder: Path | None = None,
        part_rows: int = _PART_ROWS,
    ) -> None:
        """Begin; rows are kept in unnamed files in a folder, in memory without one."""
        self._statistics = statistics
        self._specs = labels
        self._time = time if statistics else None
        self._folder = folder
        self._part_rows = part_rows
        self._spread = _Spread(len(labels))
        self._labels = RowStore(np.dtype(np.float32), folder, shape=(len(labels),))
        self._moments = RowStore(np.dtype(np.float64), folder)
        self._entities = {name: RowStore(np.dtype(np.uint64), folder) for name in statistics}
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
        overall = self._overall()
        clock = _Clock.of(self._moments, self._time_dtype)
        fitted: dict[str, FittedStatistic] = {}
        tasks = {n: c.tasks or overall.names for n, c in self._statistics.items()}
        own = _OwnValues(
            len(self._labels), sum(len(names) + 1 for names in tasks.values()), scratch
        )
        column = 0
        for name, config in self._statistics.items():
            at = [overall.names.index(task) for task in tasks[name]]
            features = partial(
                statistic_features,
                overall=overall.of(tuple(tasks[name])),
                smoothing=config.smoothing,
            )
            found = []
            for part in self._parts(self._entities.pop(name), at):
                keys, totals, seen = _part_totals(part, clock.periods(config, part["moment"]))
                own.put(part["row"], column, _features(seen, features))
                found.append((keys, totals))
            kinds = self._key_kinds.get(name, ("int",) * len(config.of))
            fitted[name] = FittedStatistic(config, tuple(tasks[name]), kinds, *_joined(found))
            column += len(at) + 1
        self._labels.close()
        self._moments.close()
        return fitted, overall, own.whole()

    def _parts(self, entities: RowStore, tasks: list[int]) -> Iterator[np.ndarray]:
        """Return the rows of some entities after those of others, by the upper bits of their hash.

        Within a part rows keep their order, and all keys of a part are above those before it.
        """
        n_bits = max(0, -(-len(entities) // self._part_rows) - 1).bit_length()
        n_parts = min(1 << n_bits, _MOST_PARTS)
        kind = np.dtype(
            [
                ("row", np.int64),
                ("entity", np.uint64),
                ("moment", np.float64),
                ("labels", np.float32, (len(tasks),)),
            ]
        )
        parts = [RowStore(kind, self._folder) for _ in range(n_parts)]
        for start in range(0, len(entities), BLOCK_ROWS):
            stop = min(start + BLOCK_ROWS, len(entities))
            block = np.zeros(stop - start, kind)
            block["row"], block["entity"] = np.arange(start, stop), entities.read(start, stop)
            block["labels"] = self._labels.read(start, stop)[:, tasks]
            if len(self._moments):
                block["moment"] = self._moments.read(start, stop)
            for part, rows in zip(parts, _dealt(block, n_parts), strict=True):
                part.append(rows)
        entities.close()
        for part in parts:
            yield part.whole()
            part.close()

    def _overall(self) -> Overall:
        names = tuple(label.name for label in self._specs)
        kinds = tuple(label.kind for label in self._specs)
        for labels in self._labels.blocks():  # the same number for chunks of any size
            self._spread.update(labels)
        return Overall(names, kinds, self._spread.means, self._spread.stds)


@dataclass(frozen=True)
class _Clock:
    """What periods of single rows depend on: the first and the last moment of all rows."""

    dtype: object
    first: float
    last: float

    @classmethod
    def of(cls, store: RowStore, dtype: object) -> "_Clock":
        first, last = np.inf, -np.inf
        for block in store.blocks():
            known = block[np.isfinite(block)]
            if len(known):
                first, last = min(first, float(known.min())), max(last, float(known.max()))
        return cls(dtype, first, last)

    def periods(self, config: StatisticConfig, time: np.ndarray) -> np.ndarray | None:
        """Return the period of each row, None where time tells nothing and folds have to do.

        Periods that put all rows into one would leave nothing to see, while later rows see
        everything: then moments count, and without two moments, folds.
        """
        if not self.first < self.last:
            return None
        if config.refresh_s:
            # The ends of all rows decide on the unit, so they are shown beside those of a part.
            shown = seconds(self.dtype, np.concatenate([[self.first, self.last], time]))
            period = np.floor(shown / config.refresh_s)
            if period[0] < period[1]:
                return period[2:]
        return np.ascontiguousarray(time)


class _OwnValues:
    """What training rows see of their own statistics, in memory or in a file."""

    def __init__(self, n_rows: int, n_columns: int, scratch: Path | None) -> None:
        self._values: np.ndarray
        if scratch is None or not n_rows * n_columns:
            self._values = np.zeros((n_rows, n_columns), np.float32)
        else:
            self._values = np.memmap(scratch, np.float32, "w+", shape=(n_rows, n_columns))

    def put(self, rows: np.ndarray, column: int, values: Float32[np.ndarray, "n C"]) -> None:
        """Write the values of some rows, in rising order, from a column on."""
        for start in range(0, len(rows), BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            self._values[rows[block], column : column + values.shape[1]] = values[block]
            self._release()

    def whole(self) -> Float32[np.ndarray, "N S"]:
        """Return all values."""
        return self._values

    def _release(self) -> None:
        """Map the file anew, so that written pages do not stay in this process's memory."""
        values = self._values
        if isinstance(values, np.memmap) and values.filename is not None:
            self._values = np.memmap(values.filename, values.dtype, "r+", shape=values.shape)


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


def _part_totals(part: np.ndarray, period: np.ndarray | None) -> tuple[np.ndarray, Totals, Totals]:
    """Return the entities of a part, their totals, and what its rows may see of their own."""
    entity, labels = np.ascontiguousarray(part["entity"]), np.ascontiguousarray(part["labels"])
    entities = group_rows(entity, period)
    keys, totals = fit_totals(entity, labels, entities)
    if period is None:
        fold = (mix(part["row"]) % np.uint64(N_FOLDS)).astype(np.int64)
        return keys, totals, other_fold_totals(entity, labels, fold, entities)
    past = past_totals_in_order(entities, labels, period)
    place = np.empty_like(entities.order)
    place[entities.order] = np.arange(len(entity))
    return keys, totals, _rows_of(past, place)


def _features(seen: Totals, features: Callable[[Totals], np.ndarray]) -> np.ndarray:
    """Return the features of totals, computed some rows at a time."""
    starts = range(0, max(1, len(seen.rows)), BLOCK_ROWS)
    return np.concatenate([features(_rows_of(seen, slice(s, s + BLOCK_ROWS))) for s in starts])


def _rows_of(totals: Totals, rows: slice | np.ndarray) -> Totals:
    return Totals(totals.sums[rows], totals.counts[rows], totals.rows[rows])


def _dealt(block: np.ndarray, n_parts: int) -> list[np.ndarray]:
    """Return the rows of each part, in their order."""
    if n_parts == 1:
        return [block]
    shift = np.uint64(_KEY_BITS - (n_parts - 1).bit_length())
    part = (block["entity"] >> shift).astype(np.uint8)
    order = np.argsort(part, kind="stable")
    ends = np.cumsum(np.bincount(part, minlength=n_parts))
    return np.split(block[order], ends[:-1])


def _joined(found: Sequence[tuple[np.ndarray, Totals]]) -> tuple[np.ndarray, Totals]:
    return np.concatenate([keys for keys, _ in found]), Totals(
        np.concatenate([totals.sums for _, totals in found]),
        np.concatenate([totals.counts for _, totals in found]),
        np.concatenate([totals.rows for _, totals in found]),
    )

"""What a streaming pass keeps of a column: counts of values, a thinned sample of numbers."""

import numpy as np
import polars as pl

_MERGE_EVERY = 16
_DENSE_LIMIT = 1 << 22
_SMALL_INTEGERS = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32)


class ValueCounts:
    """Counts of distinct values; parts merge by addition."""

    def __init__(self) -> None:
        self._parts: list[pl.DataFrame] = []
        self._dense = np.zeros(0, np.int64)  # counts of small whole numbers, by value
        self._dense_type: pl.DataType | None = None

    def update(self, values: pl.Series) -> None:
        """Count more values."""
        if self._update_dense(values):
            return
        frame = values.alias("value").to_frame().drop_nulls()
        self._parts.append(frame.group_by("value").agg(pl.len().cast(pl.Int64).alias("count")))
        if len(self._parts) >= _MERGE_EVERY:
            self._parts = [_merged(self._parts)]

    def result(self) -> pl.DataFrame:
        """Return the columns `value` and `count`."""
        parts = list(self._parts)
        if self._dense_type is not None:
            value = np.flatnonzero(self._dense)
            counted = pl.DataFrame({"value": value, "count": self._dense[value]})
            parts.append(counted.cast({"value": self._dense_type}))
        if not parts:
            return pl.DataFrame({"value": pl.Series([], dtype=pl.Int64), "count": []})
        return _merged(parts)

    def _update_dense(self, values: pl.Series) -> bool:
        """Count small whole numbers in a table, and return whether they are such."""
        same_type = self._dense_type in (None, values.dtype)
        if values.dtype not in _SMALL_INTEGERS or not same_type or values.null_count():
            return False
        raw = values.to_numpy()
        if len(raw) and (raw.min() < 0 or raw.max() >= _DENSE_LIMIT):
            return False
        found = np.bincount(raw, minlength=len(self._dense))
        found[: len(self._dense)] += self._dense
        self._dense, self._dense_type = found, values.dtype
        return True


class Sample:
    """Every k-th row, with k doubled whenever the sample outgrows its limit; rows x columns."""

    def __init__(self, limit: int = 200_000) -> None:
        self._limit = limit
        self._stride = 1
        self._skip = 0
        self._parts: list[np.ndarray] = []

    def update(self, rows: np.ndarray) -> None:
        """Add more rows."""
        kept = rows[self._skip :: self._stride]
        self._skip = (self._skip - len(rows)) % self._stride
        self._parts.append(np.array(kept))
        if sum(len(part) for part in self._parts) > self._limit:
            self._thin()

    def result(self) -> np.ndarray:
        """Return the sampled rows."""
        return np.concatenate(self._parts) if self._parts else np.zeros(0)

    def _thin(self) -> None:
        whole = self.result()
        odd = len(whole) % 2
        self._parts = [whole[::2]]
        if odd:  # the next kept row would have been dropped
            self._skip += self._stride
        self._stride *= 2


def _merged(parts: list[pl.DataFrame]) -> pl.DataFrame:
    if len(parts) == 1:
        return parts[0]
    return pl.concat(parts).group_by("value").agg(pl.col("count").sum())

"""What a streaming pass keeps of a column: counts of values, a thinned sample of numbers."""

import numpy as np
import polars as pl

_MERGE_EVERY = 16


class ValueCounts:
    """Counts of distinct values; parts merge by addition."""

    def __init__(self) -> None:
        self._parts: list[pl.DataFrame] = []

    def update(self, values: pl.Series) -> None:
        """Count more values."""
        frame = values.alias("value").to_frame().drop_nulls()
        self._parts.append(frame.group_by("value").agg(pl.len().cast(pl.Int64).alias("count")))
        if len(self._parts) >= _MERGE_EVERY:
            self._parts = [self.result()]

    def result(self) -> pl.DataFrame:
        """Return the columns `value` and `count`."""
        if not self._parts:
            return pl.DataFrame({"value": pl.Series([], dtype=pl.Int64), "count": []})
        return pl.concat(self._parts).group_by("value").agg(pl.col("count").sum())


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

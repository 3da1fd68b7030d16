"""Columns that hold several values per row."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Int64


@dataclass(frozen=True)
class Lists:
    """The values of all rows one after another, and where each row begins."""

    values: pl.Series
    offsets: Int64[np.ndarray, " starts"]

    @property
    def lengths(self) -> Int64[np.ndarray, " N"]:
        """Return how many values each row has."""
        return np.diff(self.offsets)

    @property
    def rows(self) -> Int64[np.ndarray, " L"]:
        """Return the row of each value."""
        return np.repeat(np.arange(len(self.offsets) - 1), self.lengths)


def read_lists(column: pl.Series, *, separator: str = ",", max_length: int | None = None) -> Lists:
    """Read lists, arrays or separated text; null is an empty list, empty elements are dropped."""
    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    elif not isinstance(column.dtype, pl.List):
        text = column.cast(pl.String).str.strip_chars("[]() ").str.split(separator)
        column = text.list.eval(pl.element().str.strip_chars().replace("", None))
    column = column.list.drop_nulls()
    if max_length is not None:
        column = column.list.tail(max_length)
    lengths = column.list.len().fill_null(0).to_numpy().astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return Lists(column.filter(pl.Series(lengths > 0)).explode(), offsets)

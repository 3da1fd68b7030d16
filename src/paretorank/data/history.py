"""Counts and rates from a behaviour list: how much, how often, and how often this item.

For a row whose user has the list l, and whose own item is i, the columns are log(1 + |l|); with
`relative_to` the log odds of |l| among it, smoothed by one half on both sides; log(1 + how often i
is in l); and for each column of `match` log(1 + how many items of l share i's value of it).
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float32, UInt64

from paretorank.data.hashing import stable_hash
from paretorank.data.lists import Lists, read_lists
from paretorank.data.vocabulary import canonical
from paretorank.schema import HistoryFeature


@dataclass(frozen=True)
class ItemValues:
    """Value (hashed) of one column for every known item (hashed), sorted by item."""

    items: UInt64[np.ndarray, " I"]
    values: UInt64[np.ndarray, " I"]

    def look_up(self, item: UInt64[np.ndarray, " L"]) -> UInt64[np.ndarray, " L"]:
        """Return the value of each item; 0 for an unknown one."""
        if not len(self.items):
            return np.zeros(len(item), dtype=np.uint64)
        at = np.minimum(np.searchsorted(self.items, item), len(self.items) - 1)
        return np.where(self.items[at] == item, self.values[at], np.uint64(0))


@dataclass(frozen=True)
class FittedHistory:
    """One history feature with what it knows about items."""

    config: HistoryFeature
    column: str
    item_values: tuple[ItemValues, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the columns, after the feature's own."""
        rate = ("rate",) if self.config.relative_to else ()
        return ("length", *rate, "same_item", *(f"same_{name}" for name in self.config.match))

    def transform(self, frame: pl.DataFrame) -> Float32[np.ndarray, "N C"]:
        """Return the columns for every row."""
        lists = read_lists(frame[self.column], separator=self.config.separator)
        length = lists.lengths.astype(np.float64)
        columns = [np.log1p(length)]
        if self.config.relative_to:
            whole = _size(frame[self.config.relative_to], self.config.separator)
            rest = np.maximum(whole - length, 0.0)
            columns.append(np.log(length + 0.5) - np.log(rest + 0.5))
        own = hash_items(frame[self.config.item])
        inside = hash_items(lists.values)
        columns.append(_log_matches(lists, inside, own))
        columns += [
            _log_matches(lists, values.look_up(inside), values.look_up(own))
            for values in self.item_values
        ]
        return np.stack(columns, axis=1).astype(np.float32)


def fit_item_values(frame: pl.DataFrame, item: str, value: str) -> ItemValues:
    """Learn the value of `value` for every item; an item with several keeps its smallest hash."""
    known = frame.select(item, value).drop_nulls().unique()
    items, values = hash_items(known[item]), stable_hash(known[value])
    order = np.lexsort((values, items))
    items, first = np.unique(items[order], return_index=True)
    return ItemValues(items, values[order][first])


def grow_item_values(known: ItemValues, frame: pl.DataFrame, item: str, value: str) -> ItemValues:
    """Add items that were not known before; those that were keep their value."""
    new = fit_item_values(frame, item, value)
    items, first = np.unique(np.concatenate([known.items, new.items]), return_index=True)
    return ItemValues(items, np.concatenate([known.values, new.values])[first])


def hash_items(column: pl.Series) -> UInt64[np.ndarray, " N"]:
    """Return one hash per id, the same for 5, 5.0 and "5"; 0 for null."""
    if isinstance(column.dtype, pl.Categorical | pl.Enum):
        column = column.cast(pl.String)
    whole = canonical(column, "int") if column.dtype != pl.String else None
    values = column.cast(pl.String) if whole is None else whole.cast(pl.String)
    return np.where(values.is_null().to_numpy(), np.uint64(0), stable_hash(values))


def _size(column: pl.Series, separator: str) -> np.ndarray:
    if column.dtype.is_numeric():
        return column.cast(pl.Float64).fill_null(0.0).to_numpy()
    return read_lists(column, separator=separator).lengths.astype(np.float64)


def _log_matches(lists: Lists, inside: np.ndarray, own: np.ndarray) -> np.ndarray:
    rows = lists.rows
    hit = (inside == own[rows]) & (inside != 0)
    return np.log1p(np.bincount(rows[hit], minlength=len(own)))

"""Which columns the rows of one request have in common, and which rows of a batch share them.

What describes the user or the moment is the same on every row of a request. A batch that holds
whole requests can keep such columns once per request, and a network can compute their part of its
first layer once per request, as RecD does (Zhao et al., "RecD: Deduplication for End-to-End Deep
Learning Recommendation Model Training Infrastructure", MLSys 2023).

Nothing depends on the columns being chosen well: a row shares with another one only if it agrees
with it in all of them.

Shapes: B rows, U groups of rows that agree, F categorical and M numeric columns.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from paretorank.data.encoded import EncodedRows, Ragged
from paretorank.data.shard_reader import ShardSet

SAMPLE_ROWS = 65_536
"""Rows that are looked at to find the columns."""
_ALIKE_FRACTION = 0.99  # of the rows that have others in their request


@dataclass(frozen=True)
class SharedColumns:
    """Columns whose values the rows of a request have in common, by their place."""

    categorical: tuple[int, ...]
    numeric: tuple[int, ...]
    ragged: tuple[int, ...]

    def __bool__(self) -> bool:
        return bool(self.categorical or self.numeric or self.ragged)


@dataclass(frozen=True)
class RowGroups:
    """Rows that agree in all shared columns."""

    first: Int64[np.ndarray, " U"]
    """A row of each group."""
    group: Int64[np.ndarray, " B"]
    """The group of each row."""


def find_shared_columns(shards: ShardSet) -> SharedColumns:
    """Return the columns that hardly ever differ within a request on a sample of rows."""
    rows = shards.read(0, min(len(shards), SAMPLE_ROWS))
    first = _first_of_request(rows.request)
    repeated = np.flatnonzero(first != np.arange(len(rows)))
    if not len(repeated):
        return SharedColumns((), (), ())
    earlier = first[repeated]

    def alike(equal: np.ndarray) -> list[int]:
        return np.flatnonzero(equal.mean(axis=0) >= _ALIKE_FRACTION).tolist()

    numeric = rows.numeric
    same = (numeric[repeated] == numeric[earlier]) | (
        np.isnan(numeric[repeated]) & np.isnan(numeric[earlier])
    )
    ragged = [_same_lists(column, repeated, earlier).mean() for column in rows.ragged]
    return SharedColumns(
        tuple(alike(rows.codes[repeated] == rows.codes[earlier])),
        tuple(alike(same)),
        tuple(at for at, rate in enumerate(ragged) if rate >= _ALIKE_FRACTION),
    )


def group_alike(rows: EncodedRows, columns: SharedColumns) -> RowGroups:
    """Group the rows of each request that agree in all shared columns with its first row."""
    first = _first_of_request(rows.request)
    own = np.arange(len(rows))
    alike = np.ones(len(rows), bool)
    later = np.flatnonzero(first != own)
    earlier = first[later]
    alike[later] = _agree(rows, columns, later, earlier)
    leader = np.where(alike, first, own)
    is_leader = leader == own
    number = np.cumsum(is_leader) - 1
    return RowGroups(np.flatnonzero(is_leader), number[leader])


def _agree(
    rows: EncodedRows, columns: SharedColumns, later: np.ndarray, earlier: np.ndarray
) -> Bool[np.ndarray, " K"]:
    codes = rows.codes[:, columns.categorical]
    numbers = rows.numeric[:, columns.numeric].view(np.int32)  # bit by bit: NaN equals NaN
    equal: np.ndarray = (codes[later] == codes[earlier]).all(axis=1)
    equal &= (numbers[later] == numbers[earlier]).all(axis=1)
    for at in columns.ragged:
        equal &= _same_lists(rows.ragged[at], later, earlier)
    return equal


def _first_of_request(request: np.ndarray) -> Int64[np.ndarray, " B"]:
    """Return for each row the first row of its request."""
    _, first, inverse = np.unique(request, return_index=True, return_inverse=True)
    return first[inverse].astype(np.int64)


def _same_lists(column: Ragged, one: np.ndarray, other: np.ndarray) -> Bool[np.ndarray, " K"]:
    """Return whether the lists of two rows are the same, for many pairs of rows."""
    lengths = np.diff(column.offsets)
    same: np.ndarray = lengths[one] == lengths[other]
    pairs = np.flatnonzero(same)
    mine, yours = column.take(one[pairs]), column.take(other[pairs])
    differs = np.concatenate([[0], np.cumsum(mine.values != yours.values)])
    same[pairs] = differs[mine.offsets[1:]] == differs[mine.offsets[:-1]]
    return same

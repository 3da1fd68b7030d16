"""The values at given ranks of a column, without holding all of a long column in memory.

A column of up to some millions of rows is sorted. A longer one is counted in equal cells first;
then only the cell that holds the rank is looked at, and so on until it fits.
"""

import math
from collections.abc import Sequence
from typing import Any

import polars as pl

from paretorank.data.source import collect

_MOST_ROWS = 4_000_000
_CELLS = 4096


def values_at(
    frame: pl.LazyFrame, ranks: Sequence[int], *, most_rows: int = _MOST_ROWS
) -> list[Any]:
    """Return what stands at the given places, from 0, of the sorted column of numbers.

    Args:
        frame: one column without nulls and NaN.
        ranks: places below the number of rows.
        most_rows: rows that may be sorted in memory.
    """
    name = frame.collect_schema().names()[0]
    return [_value_at(frame, name, rank, most_rows) for rank in ranks]


def _value_at(frame: pl.LazyFrame, name: str, rank: int, most_rows: int) -> Any:
    value = pl.col(name)
    while True:
        facts = collect(frame.select(pl.len(), value.min().alias("low"), value.max().alias("high")))
        n_rows, low, high = facts.row(0)
        if low == high:
            return low
        if n_rows <= most_rows:
            return collect(frame)[name].sort()[rank]
        first, last = (facts[end].cast(pl.Float64).item() for end in ("low", "high"))
        # Floats cannot tell huge integers apart, and infinite ends have no cells between them.
        if not (first < last and math.isfinite(last - first)):
            return collect(frame)[name].sort()[rank]
        place = (value.cast(pl.Float64) - first) / (last - first)
        cell = (place * _CELLS).floor().clip(0, _CELLS - 1).cast(pl.Int32)
        counts = collect(frame.group_by(cell.alias("cell")).agg(pl.len())).sort("cell")
        before = counts["len"].cum_sum() - counts["len"]
        at = int((before <= rank).sum()) - 1
        rank -= int(before[at])
        frame = frame.filter(cell == counts["cell"][at])

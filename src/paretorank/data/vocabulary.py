"""Values of a categorical column and their codes, fitted in one streaming pass.

Code 0 means missing, code 1 rare or unknown; known values follow by falling frequency. Values are
compared as integers where all of them are whole numbers, else as text, so that 5, 5.0 and "5" are
one value at training and at serving.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import polars as pl
from jaxtyping import Bool, Int32

MISSING = 0
UNKNOWN = 1
N_RESERVED = 2
_DENSE_SPAN = 4
_DENSE_FLOOR = 1 << 20
_SMALL_INTEGERS = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32)
INTEGERS = (*_SMALL_INTEGERS, pl.UInt64, pl.Boolean)  # those of 128 bits may not fit


@dataclass(frozen=True)
class Vocabulary:
    """Known values; the position of a value plus two is its code."""

    values: pl.Series
    kind: Literal["int", "text"]

    @property
    def n_codes(self) -> int:
        """Return how many codes there are, with those for missing and unknown."""
        return len(self.values) + N_RESERVED

    def encode(self, column: pl.Series) -> Int32[np.ndarray, " N"]:
        """Return the code of every value."""
        if self.kind == "int" and column.dtype in _SMALL_INTEGERS and not column.null_count():
            return self._lookup(column.to_numpy())
        values = canonical(column, self.kind)
        if self.kind == "text":
            codes_N = values.replace_strict(
                self.values, self._codes, default=UNKNOWN, return_dtype=pl.Int32
            ).to_numpy()
        else:
            codes_N = self._lookup(values.fill_null(0).to_numpy())
        if values.null_count():  # also what is no whole number and thus cannot be known
            absent = np.where(is_missing(column), MISSING, UNKNOWN)
            codes_N = np.where(values.is_null().to_numpy(), absent, codes_N)
        return codes_N.astype(np.int32, copy=False)

    def decode(self, codes: Int32[np.ndarray, " N"]) -> list[int | str | None]:
        """Return the values of codes; None for missing and for unknown."""
        known = self.values.to_list()
        return [known[c - N_RESERVED] if c >= N_RESERVED else None for c in codes.tolist()]

    @cached_property
    def _codes(self) -> pl.Series:
        return pl.Series(np.arange(N_RESERVED, self.n_codes, dtype=np.int32))

    @cached_property
    def _dense(self) -> np.ndarray | None:
        """Return a table from value to code where the values are dense enough for one."""
        raw = self.values.to_numpy()
        if not len(raw) or raw.min() < 0 or raw.max() > _DENSE_SPAN * len(raw) + _DENSE_FLOOR:
            return None
        table = np.full(int(raw.max()) + 1, UNKNOWN, dtype=np.int32)
        table[raw] = np.arange(N_RESERVED, self.n_codes, dtype=np.int32)
        return table

    @cached_property
    def _sorted(self) -> tuple[np.ndarray, np.ndarray]:
        raw = self.values.to_numpy()
        order = np.argsort(raw, kind="stable")
        return raw[order], (order + N_RESERVED).astype(np.int32)

    def _lookup(self, raw: np.ndarray) -> np.ndarray:
        if not len(self.values):
            return np.full(len(raw), UNKNOWN, dtype=np.int32)
        table = self._dense
        if table is not None:
            if len(raw) and raw.min() >= 0 and raw.max() < len(table):
                return table[raw]
            inside = (raw >= 0) & (raw < len(table))
            return np.where(inside, table[np.where(inside, raw, 0)], UNKNOWN)
        known, codes = self._sorted
        at = np.minimum(np.searchsorted(known, raw), len(known) - 1)
        return np.where(known[at] == raw, codes[at], UNKNOWN)


def fit_vocabulary(counts: pl.DataFrame, *, min_count: int) -> Vocabulary:
    """Build a vocabulary from the columns `value` and `count` of the training rows."""
    counts = counts.drop_nulls("value")
    kind = value_kind(counts["value"])
    keyed = counts.with_columns(canonical(counts["value"], kind).alias("value")).drop_nulls("value")
    merged = keyed.group_by("value").agg(pl.col("count").sum())
    kept = merged.filter(pl.col("count") >= min_count)
    return Vocabulary(kept.sort(["count", "value"], descending=[True, False])["value"], kind)


def grow_vocabulary(known: Vocabulary, counts: pl.DataFrame, *, min_count: int) -> Vocabulary:
    """Add values that were not known before; those that were keep their codes.

    Args:
        known: the vocabulary of before; it also says how values are compared.
        counts: `value` and `count` on the new rows alone.
        min_count: how often a new value must occur on the new rows.
    """
    values = canonical(counts["value"], known.kind)
    keyed = counts.with_columns(values.alias("value")).drop_nulls("value")
    merged = keyed.group_by("value").agg(pl.col("count").sum())
    before = known.values.alias("value").to_frame()
    new = merged.filter(pl.col("count") >= min_count).join(before, on="value", how="anti")
    ranked = new.sort(["count", "value"], descending=[True, False]).select("value")
    return Vocabulary(pl.concat([before, ranked])["value"], known.kind)


def value_kind(values: pl.Series) -> Literal["int", "text"]:
    """Return how values are compared: as integers if all of them are whole numbers."""
    dtype = values.dtype
    if dtype in INTEGERS:
        return "int"
    if dtype.is_float() or dtype.is_decimal():
        return "int" if _whole(values).null_count() == is_missing(values).sum() else "text"
    return "text"


def canonical(column: pl.Series, kind: Literal["int", "text"]) -> pl.Series:
    """Return values in the form in which they are compared; what does not fit becomes null."""
    dtype = column.dtype
    if kind == "int":
        return _whole(column)
    if dtype.is_decimal():  # by its digits: as floats, long ids would become equal
        text, ends = column.cast(pl.String), column.cast(pl.String).str.strip_chars_end("0")
        return text.set(text.str.contains(".", literal=True), None).fill_null(
            ends.str.strip_suffix(".")
        )
    if dtype.is_float():
        column = column.cast(pl.Float64).fill_nan(None)
        return _whole(column).cast(pl.String).fill_null(column.cast(pl.String))
    return column.cast(pl.String)


def is_missing(column: pl.Series) -> Bool[np.ndarray, " N"]:
    """Return which values are null or NaN."""
    return (column.fill_nan(None) if column.dtype.is_float() else column).is_null().to_numpy()


def without(column: pl.Series, missing: tuple[int | float | str, ...]) -> pl.Series:
    """Return the column with the declared missing-value codes set to null."""
    for code in missing:
        if isinstance(code, str):
            hit = column.cast(pl.String) == code
        elif column.dtype.is_numeric():
            hit = column == code
        else:
            hit = column.cast(pl.String).cast(pl.Float64, strict=False) == code
        column = column.set(hit.fill_null(value=False), None)
    return column


def _whole(column: pl.Series) -> pl.Series:
    """Return whole numbers as Int64, everything else as null."""
    dtype = column.dtype
    if dtype == pl.UInt64:
        return column.reinterpret(signed=True)  # hashed ids use all 64 bits
    if dtype.is_decimal():
        whole = column.cast(pl.Int64, strict=False)
        return whole.set((whole.cast(dtype, strict=False) != column).fill_null(value=True), None)
    if dtype.is_float():
        numbers = column.cast(pl.Float64)
        return numbers.set(numbers != numbers.round(), None).cast(pl.Int64, strict=False)
    if dtype.is_integer() or dtype == pl.Boolean:
        return column.cast(pl.Int64, strict=False)
    return column.cast(pl.String).str.strip_suffix(".0").cast(pl.Int64, strict=False)

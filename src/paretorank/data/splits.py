"""Which rows are for training, validation and test: by time, user, request, chance or a column."""

from enum import IntEnum

import numpy as np
import polars as pl

from paretorank.data.hashing import stable_hash, unit_interval
from paretorank.data.ranks import values_at
from paretorank.data.source import collect, require_columns
from paretorank.foundation.errors import ConfigError, DataError
from paretorank.schema import DataConfig, SplitConfig, SplitName

SPLITS: tuple[SplitName, ...] = ("train", "valid", "test")
ROW_COLUMN = "__row"
SPLIT_COLUMN = "__split"


class Split(IntEnum):
    """Codes of the splits, in their order."""

    TRAIN = 0
    VALID = 1
    TEST = 2


def split_expression(data: DataConfig, frame: pl.LazyFrame, *, split_from: int = 0) -> pl.Expr:
    """Return an expression that gives each row 0 (train), 1 (valid) or 2 (test).

    With by = "time" the borders are quantiles of the rows, so that no row of train is later than
    one of valid, and none of valid later than one of test; rows of one moment stay together.

    Args:
        data: names the keys and the split.
        frame: the rows, with their numbers.
        split_from: with by = "time", rows before this one are train, and the others are divided
            among themselves; the other rules look at one row only and need no such border.

    Raises:
        ConfigError: the keys that the split needs are not declared.
        DataError: a column is missing or the times cannot be ordered.
    """
    split = data.split
    if split.valid_fraction + split.test_fraction >= 1:
        raise ConfigError(
            f"data.split: valid_fraction + test_fraction is "
            f"{split.valid_fraction + split.test_fraction:g}; no row is left for training.",
            hint="Their sum must be below 1.",
        )
    match split.by:
        case "time":
            return _by_time(_key(data, "time"), split, frame, split_from)
        case "user":
            return _by_hash(_key(data, "user"), split, frame)
        case "request":
            return _by_hash(data.keys.request or _key(data, "user"), split, frame)
        case "random":
            return _by_chance(split)
        case "column":
            return _by_column(split, frame)


def _key(data: DataConfig, name: str) -> str:
    column: str | None = getattr(data.keys, name)
    if column is None:
        raise ConfigError(
            f'data.split.by = "{data.split.by}" needs data.keys.{name}, which is not set.',
            hint=f'Name the column: [data.keys] {name} = "..." - or choose by = "random".',
        )
    return column


def _by_time(column: str, split: SplitConfig, frame: pl.LazyFrame, split_from: int) -> pl.Expr:
    require_columns(frame, {column: "data.keys.time"})
    dtype = frame.collect_schema()[column]
    if not (dtype.is_numeric() or dtype.is_temporal()):
        raise DataError(
            f"data.keys.time: the column {column!r} is {dtype}, which has no order in time.",
            hint="Give a date-time or a number that grows, such as seconds since 1970.",
        )
    # Numbers behind moments: Python has no date for some of those that a column may hold.
    moment = (pl.col(column).fill_nan(None) if dtype.is_float() else pl.col(column)).to_physical()
    divided = pl.col(ROW_COLUMN) >= split_from if split_from else pl.lit(True)
    times = frame.filter(divided).select(moment.drop_nulls())
    n_rows = collect(times.select(pl.len())).item()
    if not n_rows:
        raise DataError(
            f"data.keys.time: the column {column!r} holds no time.", hint="Is the log empty?"
        )
    shares = (1 - split.test_fraction, 1 - split.test_fraction - split.valid_fraction)
    ranks = [min(n_rows - 1, round(n_rows * share)) for share in shares]
    test_from, valid_from = values_at(times, ranks)
    number = times.collect_schema()[column]
    later = moment >= pl.lit(test_from, dtype=number) if split.test_fraction else pl.lit(False)
    middle = moment >= pl.lit(valid_from, dtype=number) if split.valid_fraction else later
    return _chain(divided & later, divided & middle)


def _by_hash(column: str, split: SplitConfig, frame: pl.LazyFrame) -> pl.Expr:
    require_columns(frame, {column: "data.split"})

    def assign(values: pl.Series) -> pl.Series:
        return _assign(unit_interval(stable_hash(values, seed=split.seed)), split)

    return pl.col(column).map_batches(assign, return_dtype=pl.Int8, is_elementwise=True)


def _by_chance(split: SplitConfig) -> pl.Expr:
    def assign(values: pl.Series) -> pl.Series:
        return _assign(unit_interval(stable_hash(values, seed=split.seed)), split)

    return pl.col(ROW_COLUMN).map_batches(assign, return_dtype=pl.Int8, is_elementwise=True)


def _assign(chance: np.ndarray, split: SplitConfig) -> pl.Series:
    test = chance < split.test_fraction
    valid = ~test & (chance < split.test_fraction + split.valid_fraction)
    return pl.Series(np.where(test, Split.TEST, np.where(valid, Split.VALID, 0)).astype(np.int8))


def _by_column(split: SplitConfig, frame: pl.LazyFrame) -> pl.Expr:
    if split.column is None or not split.test:
        raise ConfigError(
            'data.split.by = "column" needs `column` and the values of the `test` rows.',
            hint='For instance: column = "date", valid = [20220503], test = [20220504].',
        )
    require_columns(frame, {split.column: "data.split.column"})
    dtype = frame.collect_schema()[split.column]

    def among(values: tuple[int | float | str, ...]) -> pl.Expr:
        column = pl.col(split.column or "")
        if dtype.is_numeric():
            try:
                return column.cast(pl.Float64).is_in([float(value) for value in values])
            except ValueError:
                raise ConfigError(
                    f"data.split: the column {split.column!r} holds numbers, but {values} is text.",
                    hint="Give values that the column holds.",
                ) from None
        return column.cast(pl.String).is_in([str(value) for value in values])

    return _chain(among(split.test), among(split.valid) if split.valid else pl.lit(False))


def _chain(test: pl.Expr, valid: pl.Expr) -> pl.Expr:
    return (
        pl.when(test)
        .then(int(Split.TEST))
        .when(valid)
        .then(int(Split.VALID))
        .otherwise(int(Split.TRAIN))
        .cast(pl.Int8)
    )

"""How old each row of a log is: a 0 may still become a 1 where too little time has passed."""

import datetime as dt
from collections.abc import Sequence

import numpy as np
import polars as pl

from paretorank.data.source import collect, require_columns
from paretorank.data.timeline import seconds
from paretorank.foundation.errors import ConfigError, DataError
from paretorank.schema import DataConfig, LabelSpec

AGE_COLUMN = "__age"
"""Seconds from a row to the end of the log, for labels that need time; which no log has."""
_CALENDAR = (19_000_101, 21_001_231)
"""Numbers between are dates such as 20240131, which do not count anything."""


def with_age(frame: pl.LazyFrame, data: DataConfig, labels: Sequence[LabelSpec]) -> pl.LazyFrame:
    """Return the rows with their age, if a label needs it; unknown where the time is.

    Raises:
        ConfigError: the log has no time, or `data.as_of` is none.
        DataError: the times do not count seconds or parts of them.
    """
    waiting = [label.name for label in labels if label.matures_after is not None]
    if not waiting:
        return frame
    column = data.keys.time
    if column is None:
        raise ConfigError(
            f"tasks.{waiting[0]}.matures_after needs data.keys.time, which is not set.",
            hint='Name the column: [data.keys] time = "...".',
        )
    require_columns(frame, {column: "data.keys.time"})
    dtype = frame.collect_schema()[column]
    is_clock = dtype.is_numeric()
    if not (is_clock or dtype in (pl.Datetime, pl.Date)):
        raise DataError(
            f"data.keys.time: the column {column!r} is {dtype}, from which no age follows.",
            hint="Give a date-time, or seconds or milliseconds since 1970.",
        )
    whole = pl.col(column) if is_clock else pl.col(column).cast(pl.Int64)
    moment = whole.cast(pl.Float64).fill_nan(None)
    first, last = collect(frame.select(moment.min().alias("first"), moment.max())).row(0)
    if first is None:
        raise DataError(
            f"data.keys.time: the column {column!r} holds no time.", hint="Is the log empty?"
        )
    if is_clock and _CALENDAR[0] <= first and last <= _CALENDAR[1]:
        raise DataError(
            f"data.keys.time: the column {column!r} holds dates as numbers, such as {last:.0f}, "
            "from which no age in seconds follows.",
            hint="Turn them into dates, or into seconds since 1970.",
        )
    per_second = _per_second(dtype, max(abs(first), abs(last)))
    end = last
    if data.as_of is not None:
        told = data.as_of if isinstance(data.as_of, str) else float(data.as_of)
        end = _as_of(told, per_second, is_clock=is_clock)
    return frame.with_columns(((end - moment) / per_second).alias(AGE_COLUMN))


def is_mature(label: LabelSpec, value: pl.Expr) -> pl.Expr | None:
    """Return where a label will not change any more; None where labels need no time."""
    if label.matures_after is None:
        return None
    mature = (pl.col(AGE_COLUMN) >= label.matures_after).fill_null(value=True)
    return mature | (value != 0) if label.count_early else mature


def waiting_age(label: LabelSpec, value: pl.Expr) -> pl.Expr:
    """Return the age of rows with a 0 that is not final; null elsewhere."""
    young = (pl.col(AGE_COLUMN) < label.matures_after).fill_null(value=False)
    return pl.when(young & (value == 0)).then(pl.col(AGE_COLUMN))


def _per_second(dtype: object, size: float) -> float:
    """Return how many units of a column, whose largest number is given, a second has."""
    return size / float(seconds(dtype, np.array([size]))[0]) if size else 1.0


def _as_of(moment: float | str, per_second: float, *, is_clock: bool) -> float:
    """Return a moment in the unit of the column of times, which are numbers or date-times."""
    if is_clock:
        if isinstance(moment, str):
            raise _no_moment(moment, "a number in the unit of data.keys.time")
        return float(moment)
    try:
        parsed = dt.datetime.fromisoformat(str(moment))
    except ValueError:
        raise _no_moment(moment, 'a date-time such as "2024-01-31T12:00:00"') from None
    known = parsed if parsed.tzinfo else parsed.replace(tzinfo=dt.UTC)
    return known.timestamp() * per_second


def _no_moment(moment: float | str, wanted: str) -> ConfigError:
    return ConfigError(
        f"`data.as_of` must be {wanted}, got {moment!r}.",
        hint="Leave it out to take the newest row of the log.",
    )

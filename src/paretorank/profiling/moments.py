"""Which columns hold moments, and what their numbers count."""

from paretorank.profiling.names import words_of
from paretorank.profiling.profile import ColumnProfile

EPOCHS = {"seconds": 1.0, "milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}
"""Units of numbers that count from 1970, and how many of them a second has."""
_FIRST_EPOCH, _LAST_EPOCH = 6.3e8, 2.6e9
_FIRST_DATE, _LAST_DATE = 19_900_101, 20_991_231


def time_unit(column: ColumnProfile) -> str | None:
    """Return what the numbers of a time column count, or None if it can be no time."""
    if column.kind == "time":
        return "a date-time" if "Datetime" in column.dtype else "a date"
    if not column.is_number or column.minimum is None or column.minimum < 0:
        return None
    for unit, factor in EPOCHS.items():
        if column.minimum >= _FIRST_EPOCH * factor and column.maximum <= _LAST_EPOCH * factor:
            return f"{unit} since 1970"
    if is_calendar_number(column):
        return "a date as a number"
    words = words_of(column.name)
    plain = words in (("time",), ("day",), ("date",), ("timestamp",), ("ts",), ("step",))
    return "steps" if plain and column.is_whole else None


def is_calendar_number(column: ColumnProfile) -> bool:
    """Return whether the numbers look like 20240131."""
    return (
        column.is_number
        and column.is_whole
        and column.minimum is not None
        and column.minimum >= _FIRST_DATE
        and column.maximum <= _LAST_DATE
        and all(_is_calendar_day(int(value)) for value, _ in column.top)
    )


def is_moment(column: ColumnProfile) -> bool:
    """Return whether the column holds moments or dates, whosever they are."""
    if column.kind == "time" or column.is_date_text or is_calendar_number(column):
        return True
    unit = time_unit(column)
    return unit is not None and unit != "steps" and is_time_like_name(column.name)


def is_time_like_name(name: str) -> bool:
    """Return whether a word of the name speaks of time at all."""
    times = {"time", "timestamp", "ts", "date", "datetime", "dt", "at", "epoch", "unixtime", "day"}
    return bool(set(words_of(name)) & times)


def _is_calendar_day(value: int) -> bool:
    month, day = value // 100 % 100, value % 100
    return 1 <= month <= 12 and 1 <= day <= 31  # noqa: PLR2004 - months and days

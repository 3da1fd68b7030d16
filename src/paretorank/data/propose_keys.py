"""Which columns name the user, the item, the request and the moment."""

from dataclasses import dataclass

from paretorank.data.profile import ColumnProfile, TableProfile
from paretorank.data.profile_names import is_clock, is_time, rank_as, words_of
from paretorank.schema import KeysConfig

EPOCHS = {"seconds": 1.0, "milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}
"""Units of numbers that count from 1970, and how many of them a second has."""
_FIRST_EPOCH, _LAST_EPOCH = 6.3e8, 2.6e9
_FIRST_DATE, _LAST_DATE = 19_900_101, 20_991_231
_MIN_ROWS_PER_REQUEST = 1.2


@dataclass(frozen=True)
class Keys:
    """The proposed keys and why."""

    config: KeysConfig
    reasons: dict[str, str]
    """user, item, request, time -> one clause."""


def find_keys(table: TableProfile) -> Keys:
    """Choose the keys by name, checked against what the columns hold."""
    found: dict[str, str] = {}
    reasons: dict[str, str] = {}
    for role in ("user", "item", "request"):
        column = _best_named(table, role, taken=set(found.values()))
        if column:
            found[role] = column.name
            reasons[role] = (
                f"{column.n_unique:,} values, {column.filled / column.n_unique:.1f} rows each"
            )
    time = find_time(table)
    if time:
        found["time"] = time.name
        reasons["time"] = f"{time_unit(time)}, {time.n_unique:,} moments"
    return Keys(KeysConfig(**found), reasons)


def find_time(table: TableProfile) -> ColumnProfile | None:
    """Return the column that orders the rows most finely, or None."""
    candidates = []
    for column in table.columns:
        unit = time_unit(column)
        if unit is None or column.nulls or not is_time(column.name) or column.n_unique < 2:  # noqa: PLR2004
            continue
        if not is_clock(column.name):
            candidates.append((unit == "steps", -column.n_unique, column.name, column))
    return min(candidates, key=lambda c: c[:3])[3] if candidates else None


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


def _best_named(table: TableProfile, role: str, taken: set[str]) -> ColumnProfile | None:
    candidates = []
    for column in table.columns:
        rank = rank_as(role, column.name)
        if rank is None or column.name in taken or not _can_be_key(column, role):
            continue
        candidates.append((rank, -column.n_unique, column.name, column))
    return min(candidates, key=lambda c: c[:3])[3] if candidates else None


def _can_be_key(column: ColumnProfile, role: str) -> bool:
    if column.kind not in ("integer", "text") and not (column.is_number and column.is_whole):
        return False
    if column.n_unique < 2 or column.is_unique or column.is_binary:  # noqa: PLR2004 - a key tells apart
        return False
    per_value = column.filled / column.n_unique
    return role != "request" or per_value >= _MIN_ROWS_PER_REQUEST


def _is_calendar_day(value: int) -> bool:
    month, day = value // 100 % 100, value % 100
    return 1 <= month <= 12 and 1 <= day <= 31  # noqa: PLR2004 - months and days

"""Which columns name the user, the item, the request and the moment."""

from dataclasses import dataclass

from paretorank.profiling.moments import time_unit
from paretorank.profiling.names import is_clock, is_time, rank_as
from paretorank.profiling.profile import ColumnProfile, TableProfile
from paretorank.schema import KeysConfig

_MIN_ROWS_PER_REQUEST = 1.2
_MIN_USERS = 10  # fewer are a kind of device or a gender, and no split could be made by them


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
    if role == "user" and column.n_unique < _MIN_USERS:
        return False
    per_value = column.filled / column.n_unique
    return role != "request" or per_value >= _MIN_ROWS_PER_REQUEST

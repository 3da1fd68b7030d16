"""Where the rows come from and which rows are for training."""

from typing import Literal

from pydantic import Field, PositiveInt

from paretorank.foundation.section import Section

SplitName = Literal["train", "valid", "test"]


class KeysConfig(Section):
    """Which columns say who, what, which list, and when."""

    user: str | None = None
    """Column that names the user; metrics by user and intervals need it."""
    item: str | None = None
    """Column that names the item."""
    request: str | None = None
    """Column that names the list that was ranked together; the user where absent."""
    time: str | None = None
    """Column with the moment of the impression: a date-time or a number that grows."""


class JoinConfig(Section):
    """A side table: one row per key."""

    table: str
    """Parquet, CSV or Arrow file, relative to the configuration."""
    on: str | tuple[str, ...]
    """Key columns, named alike in the log and in the table."""
    columns: tuple[str, ...] | None = None
    """Columns to take over; all that the log does not have where absent."""


class SplitConfig(Section):
    """How rows are divided into train, valid and test."""

    by: Literal["time", "user", "request", "random", "column"] = "random"
    """time: the last rows are test, those before valid; user and request: whole users or
    requests by a stable hash; random: single rows; column: by the values of `column`."""
    valid_fraction: float = Field(default=0.1, ge=0, lt=1)
    """Share of the rows (users, requests) for validation."""
    test_fraction: float = Field(default=0.1, ge=0, lt=1)
    """Share of the rows (users, requests) for the test."""
    column: str | None = None
    """With by = "column": the column that decides."""
    valid: tuple[int | float | str, ...] = ()
    """With by = "column": values of the validation rows."""
    test: tuple[int | float | str, ...] = ()
    """With by = "column": values of the test rows."""
    seed: int = 0
    """Seed of the hash for user, request and random."""


class DataConfig(Section):
    """The log, its side tables, its keys and its splits."""

    log: str | tuple[str, ...]
    """Parquet, CSV, Arrow or Feather: a file, a folder, a glob, or several of them."""
    joins: tuple[JoinConfig, ...] = ()
    """Side tables, joined from the left: no row of the log is lost or doubled."""
    keys: KeysConfig = KeysConfig()
    """Who, what, which list, when."""
    split: SplitConfig = SplitConfig()
    """Train, valid, test."""
    as_of: int | float | str | None = None
    """Moment at which the log was written, as in `keys.time` (text for date-times, in UTC); the
    newest row where absent. Only labels that mature look at it."""
    weight: str | None = None
    """Column with a weight per row, zero or more; 1 where absent."""
    drop_duplicates: bool = False
    """Drop rows of the log that repeat an earlier row in every column."""
    shard_rows: PositiveInt = 262_144
    """Rows of one file of the prepared data set."""

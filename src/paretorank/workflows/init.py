"""From the path of a log to a written configuration."""

import os
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from paretorank.data.source import join_tables, open_table
from paretorank.foundation.errors import ConfigError
from paretorank.foundation.files import write_text
from paretorank.proposal.propose import Proposal, propose
from paretorank.schema import JoinConfig


def init_config(
    log: str,
    out: Path,
    *,
    joins: Sequence[str] = (),
    preset: str | None = None,
    force: bool = False,
) -> Proposal:
    """Propose a configuration for a log and write it to `out`.

    Args:
        log: file, folder or glob, as seen from the working directory.
        out: the TOML to write; paths in it are relative to its folder.
        joins: side tables as "TABLE:KEY" or "TABLE:KEY1,KEY2".
        preset: name of a ready-made choice, such as "qq_kandian".
        force: whether an existing file may be replaced.

    Raises:
        ConfigError: the file exists, a join is not of that form, or the preset does not exist.
        DataError: a table cannot be read or joined.
    """
    if out.exists() and not force:
        raise ConfigError(f"{out} exists.", hint="Give --force to replace it, or another --out.")
    written = [_join(text, out) for text in joins]
    read = [_join(text, Path("here")) for text in joins]
    table = open_table(log, Path())
    frame = join_tables(table, read, Path())
    sides = _added(table, read, written)
    proposal = propose(frame, _relative(log, out), written, sides, preset=preset)
    write_text(out, proposal.toml)
    return proposal


def _join(text: str, out: Path) -> JoinConfig:
    table, colon, keys = text.rpartition(":")
    names = tuple(name.strip() for name in keys.split(",") if name.strip())
    if not colon or not table or not names:
        raise ConfigError(
            f"--join {text!r} is not of the form TABLE:KEY.",
            hint="For instance: --join videos.parquet:video_id",
        )
    return JoinConfig(table=_relative(table, out), on=names[0] if len(names) == 1 else names)


def _added(
    log: pl.LazyFrame, read: Sequence[JoinConfig], written: Sequence[JoinConfig]
) -> dict[str, pl.LazyFrame]:
    """Return the columns that each side table adds, under the name it is written with."""
    have = set(log.collect_schema().names())
    added = {}
    for here, there in zip(read, written, strict=True):
        table = open_table(here.table, Path())
        names = table.collect_schema().names()
        added[there.table] = table.select(name for name in names if name not in have)
        have |= set(names)
    return added


def _relative(place: str, out: Path) -> str:
    if "://" in place or Path(place).expanduser().is_absolute():
        return place
    return Path(os.path.relpath(Path(place).absolute(), out.parent.absolute())).as_posix()

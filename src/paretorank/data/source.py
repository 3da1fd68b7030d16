"""Open Parquet, CSV and Arrow, files, folders and globs, as one lazy Polars frame."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from paretorank.foundation.errors import DataError
from paretorank.foundation.suggestions import did_you_mean
from paretorank.schema import DataConfig, JoinConfig

_READERS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "tsv",
    ".arrow": "ipc",
    ".feather": "ipc",
    ".ipc": "ipc",
}
_INFERENCE_ROWS = 1_000_000
_PLACE_LENGTH = 200


def open_log(data: DataConfig, folder: Path, log: pl.LazyFrame | None = None) -> pl.LazyFrame:
    """Open the log with its side tables joined, one row per impression, in the log's order.

    Args:
        data: what to open.
        folder: where relative paths begin.
        log: rows already in hand, in place of `data.log`.

    Raises:
        DataError: a file or a column is missing, unreadable or of the wrong type.
    """
    return join_tables(open_rows(data, folder, log), data.joins, folder)


def open_rows(data: DataConfig, folder: Path, log: pl.LazyFrame | None = None) -> pl.LazyFrame:
    """Open the log without its side tables."""
    log = open_table(data.log, folder) if log is None else log
    return log.unique(maintain_order=True) if data.drop_duplicates else log


def join_tables(log: pl.LazyFrame, joins: Sequence[JoinConfig], folder: Path) -> pl.LazyFrame:
    """Join side tables to an opened log."""
    for index, join in enumerate(joins):
        log = _join(log, join, folder, place=f"data.joins[{index}]")
    return log


def open_table(place: str | Sequence[str], folder: Path) -> pl.LazyFrame:
    """Open one table that may be spread over several files of one format."""
    paths = table_files(place, folder)
    formats = {_format(path) for path in paths}
    if len(formats) > 1:
        raise DataError(
            f"{_shorten(place)} mixes the formats {', '.join(sorted(formats))}.",
            hint="Give one format per table, for instance with a glob such as 'log/*.parquet'.",
        )
    frame = _scan(paths, formats.pop())
    hint = "Is the file complete, and is its ending that of its format?"
    with reading(f"{paths[0]} cannot be read", hint):
        frame.collect_schema()
    return frame


def table_files(place: str | Sequence[str], folder: Path) -> list[Path]:
    """Return the files that make up a table, sorted by name."""
    patterns = [place] if isinstance(place, str) else list(place)
    try:
        found = [path for pattern in patterns for path in _expand(pattern, folder)]
    except (OSError, ValueError, RuntimeError) as error:  # too long, impossible, no such user
        reason = getattr(error, "strerror", None) or _first_line(error)
        raise DataError(
            f"{_shorten(place)} is no path: {reason}.",
            hint="Give a file, a folder or a glob such as 'log/*.parquet'.",
        ) from None
    if not found:
        raise DataError(
            f"{_shorten(place)} names no file (looked in {folder}).",
            hint="Paths are relative to the configuration file; check the spelling and the ending.",
        )
    return found


def as_frame(rows: Any, *, name: str = "data") -> pl.LazyFrame:
    """Turn what a user has in hand into a lazy frame.

    Accepts a path (or several), Polars, pandas, Arrow, or a mapping of column names to arrays.
    """
    if isinstance(rows, pl.LazyFrame):
        return rows
    if isinstance(rows, pl.DataFrame):
        return rows.lazy()
    if isinstance(rows, str | Path):
        return open_table(str(rows), Path())
    if isinstance(rows, list | tuple) and all(isinstance(row, str | Path) for row in rows):
        return open_table([str(row) for row in rows], Path())
    try:
        frame = _in_memory(rows)
    except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"{name} cannot be read as a table: {_first_line(error)}",
            hint="Every column needs values of one kind, and all columns equally many.",
        ) from None
    if isinstance(frame, pl.DataFrame):
        return frame.lazy()
    raise DataError(
        f"{name} is a {type(rows).__name__}, which cannot be read as a table.",
        hint="Give a path, a Polars or pandas frame, an Arrow table, or a dict of arrays.",
    )


def require_columns(frame: pl.LazyFrame, columns: Mapping[str, str]) -> None:
    """Check that every needed column exists.

    Args:
        frame: an opened table.
        columns: column -> the configuration key that asks for it.
    """
    present = frame.collect_schema().names()
    for column, place in columns.items():
        if column not in present:
            raise DataError(
                f"{place} asks for the column {column!r}, which the log and its joins do not have.",
                hint=did_you_mean(column, present),
            )


def collect(frame: pl.LazyFrame) -> pl.DataFrame:
    """Run a query with the streaming engine and give reading errors a name."""
    with reading():
        return frame.collect(engine="streaming")


@contextmanager
def reading(
    problem: str = "The data cannot be read",
    hint: str = "Is every file complete, and do columns keep their type in all files?",
) -> Iterator[None]:
    """Turn every failure of Polars inside the block into a DataError.

    Polars panics on some damaged files, which is no `Exception`.
    """
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise DataError(f"{problem}: {_first_line(error)}", hint=hint) from None


def _in_memory(rows: Any) -> pl.DataFrame | pl.Series | None:
    if isinstance(rows, Mapping):
        return pl.DataFrame({key: _as_series(key, value) for key, value in rows.items()})
    if type(rows).__module__.partition(".")[0] == "pandas":
        return pl.from_pandas(rows)
    return pl.DataFrame(rows) if hasattr(rows, "__arrow_c_stream__") else None


def _expand(pattern: str, folder: Path) -> list[Path]:
    if not pattern:
        return []
    if "://" in pattern:
        return [Path(pattern)]
    given = Path(pattern).expanduser()
    path = folder / given
    if path.is_file():
        return [path]
    if path.is_dir():
        return sorted(p for p in path.rglob("*") if p.suffix.lower() in _READERS and p.is_file())
    base = Path(given.anchor) if given.is_absolute() else folder
    inside = given.relative_to(base) if given.is_absolute() else given
    return sorted(p for p in base.glob(str(inside)) if p.is_file())


def _shorten(place: str | Sequence[str]) -> str:
    text = str(place) or '""'
    return text if len(text) <= _PLACE_LENGTH else text[:_PLACE_LENGTH] + "..."


def _format(path: Path) -> str:
    try:
        return _READERS[path.suffix.lower()]
    except KeyError:
        raise DataError(
            f"{path} ends in {path.suffix!r}, which names no known format.",
            hint=f"Known endings: {', '.join(_READERS)}.",
        ) from None


def _scan(paths: Sequence[Path], kind: str) -> pl.LazyFrame:
    files = [str(path) for path in paths]
    match kind:
        case "parquet":
            # Damaged statistics would drop rows in one pass and not in another, unnoticed.
            return pl.scan_parquet(files, glob=False, use_statistics=False)
        case "csv" | "tsv":
            return pl.scan_csv(
                files,
                separator="," if kind == "csv" else "\t",
                infer_schema_length=_INFERENCE_ROWS,
                try_parse_dates=True,
                glob=False,
            )
        case _:
            return pl.scan_ipc(files)


def _join(log: pl.LazyFrame, join: JoinConfig, folder: Path, *, place: str) -> pl.LazyFrame:
    table = open_table(join.table, folder)
    keys = [join.on] if isinstance(join.on, str) else list(join.on)
    have, got = log.collect_schema(), table.collect_schema()
    for key in keys:
        for side, names in (("the log", have), (join.table, got)):
            if key not in names:
                raise DataError(
                    f"{place}.on: {side} has no column {key!r}.",
                    hint=did_you_mean(key, names.names()),
                )
    wanted = list(join.columns) if join.columns else [n for n in got.names() if n not in have]
    for name in wanted:
        if name not in got:
            raise DataError(
                f"{place}.columns: {join.table} has no column {name!r}.",
                hint=did_you_mean(name, got.names()),
            )
        if name in have and name not in keys:
            raise DataError(
                f"{place}.columns: the log has a column {name!r} already.",
                hint="Leave it out, or rename one of the two.",
            )
    table = table.select([*keys, *(n for n in wanted if n not in keys)])
    table = table.drop_nulls(keys).with_columns(pl.col(key).cast(have[key]) for key in keys)
    _refuse_repeated_keys(table, keys, join.table, place)
    return log.join(table, on=keys, how="left", maintain_order="left")


def _refuse_repeated_keys(table: pl.LazyFrame, keys: list[str], name: str, place: str) -> None:
    query = table.select(pl.len().alias("rows"), pl.struct(keys).n_unique().alias("keys"))
    hint = "Is the file complete, and are key columns of the same kind in both tables?"
    with reading(f"{place}: {name} cannot be joined", hint):
        rows, unique = query.collect(engine="streaming").row(0)
    if rows != unique:
        raise DataError(
            f"{place}: {name} has {rows} rows for {unique} values of {', '.join(keys)}; "
            "a join would double rows of the log.",
            hint="Keep one row per key in the side table.",
        )


def _as_series(name: str, value: Any) -> pl.Series:
    if isinstance(value, np.ndarray):
        plain = value.tolist() if value.dtype == object else np.ascontiguousarray(value)
        return pl.Series(name, plain)
    return pl.Series(name, value)


def _first_line(error: BaseException) -> str:
    """Return what went wrong; Polars adds hints about its own interface, which users never see."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return line.partition("hint:")[0].rstrip(" ,.(") or line

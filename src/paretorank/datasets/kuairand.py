"""KuaiRand: from the published files to a log, its side tables and a configuration.

Source: Gao et al., KuaiRand: An Unbiased Sequential Recommendation Dataset with Randomly Exposed
Videos, CIKM 2022. Two layouts are read: the published CSV files of KuaiRand-Pure and KuaiRand-1K,
and a cut of them kept as Parquet, which brings its table of histories along. From the CSV files
the histories are made here: impressions before 25 April 2022 become what each user did before,
impressions of that day and later become the log, so that no history knows a row of the log.

Values stay as published, repeated rows and zero durations included. Added to the log is the hour
of the day, `hour`. Days are those of the published column `date`, from which `time_ms` differs by
up to two hours around midnight. The log of randomly exposed videos is not read.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from paretorank.datasets.kuairand_toml import ATTRIBUTION, configuration
from paretorank.foundation.errors import DataError
from paretorank.foundation.files import atomic_path, write_text

FIRST_DAY = 20220425
"""First day of the log; everything earlier is history."""
HISTORY_LENGTH = 50
"""Newest entries kept per list of a user's history."""
LOG_SCHEMA = pl.Schema(
    {
        "user_id": pl.Int64,
        "video_id": pl.Int64,
        "date": pl.Int32,
        "hourmin": pl.Int32,
        "time_ms": pl.Int64,
        "is_click": pl.Int8,
        "is_like": pl.Int8,
        "is_follow": pl.Int8,
        "is_comment": pl.Int8,
        "is_forward": pl.Int8,
        "is_hate": pl.Int8,
        "long_view": pl.Int8,
        "play_time_ms": pl.Int32,
        "duration_ms": pl.Int32,
        "profile_stay_time": pl.Int32,
        "comment_stay_time": pl.Int32,
        "is_profile_enter": pl.Int8,
        "is_rand": pl.Int8,
        "tab": pl.Int8,
    }
)
"""Columns of the published log and the types they are stored with."""
HISTORY_SCHEMA = pl.Schema(
    {
        "user_id": pl.Int64(),
        "history_len": pl.Int64(),
        "last_time_ms": pl.Int64(),
        "watch_seq": pl.List(pl.Int64),
        "like_seq": pl.List(pl.Int64),
        "long_watch_seq": pl.List(pl.Int64),
    }
)
"""Impressions before the log: how many, the newest, and the videos shown, liked, watched long."""

_LOG_COLUMNS = [pl.col(name).cast(kind) for name, kind in LOG_SCHEMA.items()]
_HISTORY_COLUMNS = [pl.col(name).cast(kind) for name, kind in HISTORY_SCHEMA.items()]
_CSV_LOGS = ("log_standard_4_08_to_4_21_{}.csv", "log_standard_4_22_to_5_08_{}.csv")
_CSV_SIDES = (
    "user_features_{}.csv",
    "video_features_basic_{}.csv",
    "video_features_statistic_{}.csv",
)
_CUT_SIDES = (
    "user_features.parquet",
    "video_features_basic.parquet",
    "video_features_statistic.parquet",
)
_CUT_LOG = re.compile(r"log_\d{8}_\d{8}\.parquet")
_CUT_HISTORY = re.compile(r"user_history_before_\d{8}\.parquet")
_FEWEST_DAYS = 3
_MINUTES_FACTOR = 100


@dataclass(frozen=True)
class PublishedFiles:
    """Where each published table lies."""

    logs: tuple[Path, ...]
    users: Path
    videos: Path
    statistics: Path
    history: Path | None
    """None where histories must be made from the log."""


def prepare_kuairand(source: Path, target: Path) -> Path:
    """Write log, side tables and `kuairand.toml` into `target`; return the path of the TOML.

    The same files give the same bytes again.

    Raises:
        DataError: published files or columns are missing, or the log has too few days.
    """
    files = find_published_files(source)
    published = _read_log(files.logs)
    if files.history is None:
        log = published.filter(pl.col("date") >= FIRST_DAY)
        history = history_before(published, FIRST_DAY)
    else:
        log = published
        history = _read_table(files.history, _HISTORY_COLUMNS).sort("user_id")
    days = _days(log, files.logs)
    tables = {
        "log": log.with_columns(hour=(pl.col("hourmin") // _MINUTES_FACTOR).cast(pl.Int8)),
        "users": _codes_as_integers(_read_table(files.users)),
        "videos": _codes_as_integers(_read_table(files.videos)),
        "history": history,
        "video_statistics": _read_table(files.statistics),
    }
    for name, table in tables.items():
        _write(table, target / f"{name}.parquet")
    write_text(target / "ATTRIBUTION.md", ATTRIBUTION)
    path = target / "kuairand.toml"
    write_text(path, configuration(valid_day=days[-2], test_day=days[-1]))
    return path


def find_published_files(source: Path) -> PublishedFiles:
    """Find the tables in the folder or in its `data` subfolder.

    Raises:
        DataError: neither layout is complete; the message names what is missing.
    """
    folders = [folder for folder in (source, source / "data") if folder.is_dir()]
    if not folders:
        raise DataError(
            f"{source} is not a folder.", hint="Give the folder with the files of KuaiRand."
        )
    for folder in folders:
        names = sorted(path.name for path in folder.iterdir())
        cut = [name for name in names if _CUT_LOG.fullmatch(name)]
        if cut:
            return _parquet_files(folder, names, cut)
        suffix = re.search(r"log_standard_4_\w+_(pure|1k)\.csv", "\n".join(names))
        if suffix:
            return _csv_files(folder, names, suffix[1])
    looked = " and ".join(str(folder) for folder in folders)
    raise DataError(
        f"No log of KuaiRand in {looked}: neither {_CSV_LOGS[0].format('pure')} (or _1k) nor "
        "log_YYYYMMDD_YYYYMMDD.parquet.",
        hint="Unpack KuaiRand-Pure or KuaiRand-1K from https://kuairand.com and give its folder.",
    )


def history_before(log: pl.DataFrame, day: int) -> pl.DataFrame:
    """Return what each user was shown, liked and watched long strictly before `day`."""
    video = pl.col("video_id")
    past = log.filter(pl.col("date") < day).sort("time_ms", maintain_order=True)
    lists = past.group_by("user_id", maintain_order=True).agg(
        history_len=pl.len(),
        last_time_ms=pl.col("time_ms").max(),
        watch_seq=video.tail(HISTORY_LENGTH),
        like_seq=video.filter(pl.col("is_like") == 1).tail(HISTORY_LENGTH),
        long_watch_seq=video.filter(pl.col("long_view") == 1).tail(HISTORY_LENGTH),
    )
    return lists.select(_HISTORY_COLUMNS).sort("user_id")


def _parquet_files(folder: Path, names: list[str], logs: list[str]) -> PublishedFiles:
    histories = [name for name in names if _CUT_HISTORY.fullmatch(name)]
    missing = [name for name in _CUT_SIDES if name not in names]
    if not histories:
        missing.append("user_history_before_YYYYMMDD.parquet")
    _refuse_missing(missing, folder)
    users, videos, statistics = (folder / name for name in _CUT_SIDES)
    return PublishedFiles(
        tuple(folder / name for name in logs), users, videos, statistics, folder / histories[-1]
    )


def _csv_files(folder: Path, names: list[str], suffix: str) -> PublishedFiles:
    logs, sides = ([name.format(suffix) for name in group] for group in (_CSV_LOGS, _CSV_SIDES))
    _refuse_missing([name for name in (*logs, *sides) if name not in names], folder)
    users, videos, statistics = (folder / name for name in sides)
    return PublishedFiles(tuple(folder / name for name in logs), users, videos, statistics, None)


def _refuse_missing(missing: list[str], folder: Path) -> None:
    if missing:
        raise DataError(
            f"{folder} lacks {', '.join(missing)}.",
            hint="Copy the missing files beside the others; all of them are published together.",
        )


def _read_log(paths: tuple[Path, ...]) -> pl.DataFrame:
    """Return all rows of the log, oldest first; rows of one moment keep their order."""
    parts = [_read_table(path, _LOG_COLUMNS) for path in paths]
    return pl.concat(parts).sort("time_ms", maintain_order=True)


def _read_table(path: Path, columns: list[pl.Expr] | None = None) -> pl.DataFrame:
    """Read a table; with `columns`, exactly these."""
    with _refuse_unreadable(path):
        if path.suffix == ".csv":
            # All rows decide on a type: codes such as "UNKNOWN" come late in a column.
            table = pl.read_csv(path, infer_schema_length=None)
        else:
            table = pl.read_parquet(path)
        if columns is None:
            return table
        missing = [
            c.meta.output_name() for c in columns if c.meta.output_name() not in table.columns
        ]
        if missing:
            raise DataError(
                f"{path} has no column {', '.join(missing)}.",
                hint="Use the file as published; the columns are described at kuairand.com.",
            )
        return table.select(columns)


@contextmanager
def _refuse_unreadable(path: Path) -> Iterator[None]:
    try:
        yield
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"{path} is not readable as a table of KuaiRand: {reason}.",
            hint="Use the file as published, unpacked and unchanged.",
        ) from error


def _codes_as_integers(table: pl.DataFrame) -> pl.DataFrame:
    """Return the table with codes as integers that were read as floats because some are absent."""
    coded = [
        name
        for name, kind in table.schema.items()
        if kind.is_float() and (name.startswith("onehot_feat") or name == "music_type")
    ]
    return table.with_columns(pl.col(name).cast(pl.Int64) for name in coded)


def _days(log: pl.DataFrame, paths: tuple[Path, ...]) -> list[int]:
    days: list[int] = log.get_column("date").unique().sort().to_list()
    if len(days) < _FEWEST_DAYS:
        raise DataError(
            f"The log in {paths[0].parent} has {len(days)} days from {FIRST_DAY} on; training, "
            f"validation and test need {_FEWEST_DAYS}.",
            hint="Use the complete files.",
        )
    return days


def _write(table: pl.DataFrame, path: Path) -> None:
    with atomic_path(path) as temporary:
        table.write_parquet(temporary)

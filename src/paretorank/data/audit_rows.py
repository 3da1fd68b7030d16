"""Rows that stand in the log more than once, and rows of one impression in two splits."""

import polars as pl

from paretorank.data.audit_finding import SPLIT_COLUMN, Audited, Finding
from paretorank.data.source import collect
from paretorank.data.splits import ROW_COLUMN, SPLITS

_MANY_REPEATS = 0.001


def check_rows(audited: Audited) -> list[Finding]:
    """Report exact duplicates, impressions that repeat, and rows that two splits share."""
    return [*_duplicates(audited), *_repeated_keys(audited), *_shared_rows(audited)]


def _duplicates(audited: Audited) -> list[Finding]:
    rows, distinct = _count(audited.log, audited.log.collect_schema().names())
    repeated = rows - distinct
    if not repeated:
        return []
    dropped = audited.data.drop_duplicates
    return [
        Finding(
            severity="note" if dropped else "warning",
            check="duplicate rows",
            place="data.log",
            problem=f"{repeated:,} of {rows:,} rows ({repeated / rows:.2%}) repeat an earlier row "
            "in every column" + ("; drop_duplicates removes them" if dropped else ""),
            remedy="Nothing to do." if dropped else "Set drop_duplicates = true under [data].",
            numbers={"rows": rows, "repeated": repeated, "share": round(repeated / rows, 5)},
        )
    ]


def _repeated_keys(audited: Audited) -> list[Finding]:
    keys = audited.data.keys
    columns = [key for key in (keys.user, keys.item, keys.time) if key is not None]
    if len(columns) < 3:  # noqa: PLR2004 - user, item and time together name an impression
        return []
    frame = audited.log.unique() if not audited.data.drop_duplicates else audited.frame
    if not set(columns) <= set(frame.collect_schema().names()):
        return []
    rows, distinct = _count(frame, columns)
    repeated = rows - distinct
    if repeated <= _MANY_REPEATS * rows:
        return []
    return [
        Finding(
            severity="warning",
            check="repeated impressions",
            place="data.keys",
            problem=f"{repeated:,} rows ({repeated / rows:.2%}) share {', '.join(columns)} with "
            "another row but differ elsewhere",
            remedy="Merge them into one impression, or check the resolution of the time.",
            numbers={"repeated": repeated, "share": round(repeated / rows, 5)},
        )
    ]


def _shared_rows(audited: Audited) -> list[Finding]:
    """Report identical rows in two splits; a test that repeats training rows flatters."""
    names = [n for n in audited.log.collect_schema().names() if n not in (ROW_COLUMN, SPLIT_COLUMN)]
    hashed = audited.frame.select(
        pl.struct(names).hash(0).alias("row"), pl.col(SPLIT_COLUMN).alias("split")
    )
    by_row = hashed.group_by("row").agg(
        *((pl.col("split") == code).any().alias(name) for code, name in enumerate(SPLITS))
    )
    counts = collect(
        by_row.select(
            (pl.col("train") & pl.col("valid")).sum().alias("valid"),
            (pl.col("train") & pl.col("test")).sum().alias("test"),
        )
    ).row(0, named=True)
    return [
        Finding(
            severity="warning",
            check="split overlap",
            place="data.split",
            problem=f"{count:,} rows of {name} stand in train as well, equal in every column",
            remedy="Set drop_duplicates = true, or split by time or by user.",
            numbers={"rows": count},
        )
        for name, count in counts.items()
        if count
    ]


def _count(frame: pl.LazyFrame, columns: list[str]) -> tuple[int, int]:
    """Return rows and distinct rows; rows are compared by a 64-bit hash."""
    hashed = pl.struct(columns).hash(0)
    found = collect(frame.select(pl.len().alias("rows"), hashed.n_unique().alias("distinct")))
    rows, distinct = found.row(0)
    return int(rows), int(distinct)

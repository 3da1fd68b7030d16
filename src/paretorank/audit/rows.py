"""Rows that stand in the log more than once, and rows of one impression in two splits."""

import polars as pl

from paretorank.audit.finding import SPLIT_COLUMN, Audited, Finding
from paretorank.data.source import collect
from paretorank.data.splits import SPLITS

_MANY_REPEATS = 0.001
_NAMING = ("user", "item", "time")


def check_rows(audited: Audited) -> list[Finding]:
    """Report exact duplicates, impressions that repeat, and rows that two splits share."""
    names = audited.log.collect_schema().names()
    keys = audited.data.keys
    key_columns = [key for key in (keys.user, keys.item, keys.time) if key is not None]
    # User, item and time together name an impression; with less, rows may well be alike.
    named = len(set(key_columns) & set(names)) == len(_NAMING)
    rows, distinct, impressions = _counts(audited.log, names, key_columns if named else names)
    findings = _duplicates(audited, rows, rows - distinct)
    findings += _repeated_keys(key_columns, distinct, distinct - impressions)
    return findings + (_shared_rows(audited, names) if rows > distinct else [])


def _duplicates(audited: Audited, rows: int, repeated: int) -> list[Finding]:
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
            remedy=_duplicates_remedy(audited),
            numbers={"rows": rows, "repeated": repeated, "share": round(repeated / rows, 5)},
        )
    ]


def _duplicates_remedy(audited: Audited) -> str:
    if audited.data.drop_duplicates:
        return "Nothing to do."
    keys = audited.data.keys
    if keys.time is None and keys.request is None:  # two impressions may well look alike
        return "Without a time or a request in the log, these may be impressions of their own."
    return "Set drop_duplicates = true under [data]."


def _repeated_keys(columns: list[str], distinct: int, repeated: int) -> list[Finding]:
    if repeated <= _MANY_REPEATS * distinct:
        return []
    return [
        Finding(
            severity="warning",
            check="repeated impressions",
            place="data.keys",
            problem=f"{repeated:,} rows ({repeated / distinct:.2%}) share {', '.join(columns)} "
            "with another row but differ elsewhere",
            remedy="Merge them into one impression, or check the resolution of the time.",
            numbers={"repeated": repeated, "share": round(repeated / distinct, 5)},
        )
    ]


def _shared_rows(audited: Audited, names: list[str]) -> list[Finding]:
    """Report identical rows in two splits; a test that repeats training rows flatters."""
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


def _counts(log: pl.LazyFrame, names: list[str], keys: list[str]) -> tuple[int, int, int]:
    """Return rows, distinct rows and distinct keys; they are compared by a 64-bit hash."""
    found = collect(
        log.select(
            pl.len().alias("rows"),
            pl.struct(names).hash(0).n_unique().alias("distinct"),
            pl.struct(keys).hash(0).n_unique().alias("keys"),
        )
    )
    rows, distinct, impressions = found.row(0)
    return int(rows), int(distinct), int(impressions)

"""Tables of counts and rates over the whole period: they know the future of the rows they join.

A table with one row per user or item and no column of time, most of whose numbers are named like
aggregated feedback (`like_cnt`, `ctr`), cannot say as of when it counted. If such a number follows
the labels of the *test* rows, using it makes the test look better than serving will be.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from paretorank.audit.finding import SPLIT_COLUMN, Audited, Finding
from paretorank.audit.measure import numbers, rank_correlation
from paretorank.data.source import collect, open_table, table_files
from paretorank.data.splits import Split
from paretorank.foundation.errors import DataError
from paretorank.profiling.names import is_aggregate, is_time
from paretorank.profiling.profile import kind_of

_ENDINGS = (".parquet", ".pq", ".csv", ".tsv", ".arrow", ".feather", ".ipc")
_MOST_FILES = 50
_SHARE = 0.5
_MIN_RHO = 0.05
_MIN_Z = 3.0
_MIN_ENTITIES = 30


@dataclass(frozen=True)
class Aggregates:
    """The columns of one table that look like feedback added up."""

    table: str
    key: str
    columns: tuple[str, ...]
    correlation: float
    """The largest absolute rank correlation of a column with a label's mean on the test rows."""
    column: str
    task: str
    entities: int

    @property
    def follows_the_test(self) -> bool:
        """Return whether the correlation is more than chance."""
        return self.correlation > max(_MIN_RHO, _MIN_Z / max(self.entities, 1) ** 0.5)


def check_tables(audited: Audited) -> list[Finding]:
    """Report tables of whole-period statistics, joined or lying beside the log."""
    findings = []
    used = audited.feature_columns()
    joined: set[Path] = set()
    have = set(audited.log.collect_schema().names())
    for join in audited.data.joins:
        joined.update(path.resolve() for path in table_files(join.table, audited.folder))
        keys = [join.on] if isinstance(join.on, str) else list(join.on)
        table = open_table(join.table, audited.folder)
        found = _aggregates(audited, table, join.table, keys)
        taken = set(join.columns or table.collect_schema().names()) - have
        have |= taken
        if found and taken & set(found.columns):
            read = [name for name in found.columns if name in used and name in taken]
            findings.append(_joined(found, read, used))
    for path in _neighbours(audited, joined):
        lying = _of_neighbour(audited, path)
        if lying:
            findings.append(_lying(lying))
    return findings


def added_up_columns(table: pl.LazyFrame, keys: Collection[str]) -> list[str]:
    """Return the columns of a side table that add feedback up over a period it does not name.

    Empty unless at least half of its columns are of that sort.
    """
    others = {name: dtype for name, dtype in table.collect_schema().items() if name not in keys}
    if any(is_time(n) or kind_of(t) == "time" for n, t in others.items()):
        return []
    figures = [n for n, t in others.items() if kind_of(t) in ("integer", "float")]
    found = [name for name in figures if is_aggregate(name)]
    return found if len(found) >= _SHARE * len(others) else []


def _joined(found: Aggregates, read: list[str], used: dict[str, str]) -> Finding:
    what = f"{found.table}: {_described(found)}"
    if not read:
        remedy = f'Leave them out of the join: give it columns = [...] without "{found.column}".'
        return Finding(
            "warning",
            "whole-period statistics",
            "data.joins",
            f"{what}; joined, though no feature reads them",
            remedy,
            _numbers(found),
        )
    names = ", ".join(used[name] for name in read[:5])
    remedy = "Remove them; [statistics] counts the same from the past only."
    return Finding(
        "serious" if found.follows_the_test else "warning",
        "whole-period statistics",
        f"features.{used[read[0]]}",
        f"{what}; read by {names}",
        remedy,
        _numbers(found),
    )


def _lying(found: Aggregates) -> Finding:
    return Finding(
        "warning" if found.follows_the_test else "note",
        "whole-period statistics",
        found.table,
        f"{found.table} lies beside the log: {_described(found)}; joining it would leak",
        "Leave it alone; [statistics] counts the same from the past only.",
        _numbers(found),
    )


def _described(found: Aggregates) -> str:
    text = (
        f"{len(found.columns)} columns of feedback added up per {found.key} "
        f"({', '.join(found.columns[:3])}, ...), without a date"
    )
    if np.isfinite(found.correlation) and found.task:
        text += (
            f"; {found.column} follows {found.task} on the test rows "
            f"(Spearman {found.correlation:.2f} over {found.entities:,})"
        )
    return text


def _numbers(found: Aggregates) -> dict[str, float | int | str]:
    return {
        "columns": len(found.columns),
        "correlation": round(found.correlation, 4),
        "column": found.column,
        "task": found.task,
        "entities": found.entities,
    }


def _neighbours(audited: Audited, joined: set[Path]) -> Iterator[Path]:
    """Yield tables in the folders of the log and of the joined tables that nobody reads."""
    logs = {path.resolve() for path in table_files(audited.data.log, audited.folder)}
    folders = sorted({path.parent for path in logs | joined})
    seen = 0
    for folder in folders:
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() not in _ENDINGS or path in logs | joined or not path.is_file():
                continue
            seen += 1
            if seen > _MOST_FILES:
                return
            yield path


def _of_neighbour(audited: Audited, path: Path) -> Aggregates | None:
    try:
        table = open_table(str(path), Path())
        names = table.collect_schema().names()
        keys = [audited.data.keys.user, audited.data.keys.item]
        for join in audited.data.joins:
            keys += [join.on] if isinstance(join.on, str) else []
        for key in dict.fromkeys(key for key in keys if key in names):
            one_row_each = collect(table.select(pl.len() == pl.col(str(key)).n_unique())).item()
            if one_row_each:
                return _aggregates(audited, table, path.name, [str(key)])
    except DataError:
        return None  # a file that is no table of ours is nobody's concern here
    return None


def _aggregates(
    audited: Audited, table: pl.LazyFrame, name: str, keys: list[str]
) -> Aggregates | None:
    added_up = added_up_columns(table, keys)
    if not added_up or len(keys) != 1:
        return None
    correlation, column, task, entities = _follows(audited, table, keys[0], added_up)
    return Aggregates(name, keys[0], tuple(added_up), correlation, column, task, entities)


def _follows(
    audited: Audited, table: pl.LazyFrame, key: str, columns: list[str]
) -> tuple[float, str, str, int]:
    """Return the strongest correlation with an entity's mean label on the test rows."""
    best = (float("nan"), columns[0], "", 0)
    if key not in audited.table.names():
        return best
    means = [
        pl.col(label.column)
        .cast(pl.Float64, strict=False)
        .fill_nan(None)
        .mean()
        .alias(f"__{label.name}")
        for label in audited.labels
    ]
    test = audited.frame.filter(pl.col(SPLIT_COLUMN) == int(Split.TEST)).group_by(key)
    entity = collect(test.agg(means)).with_columns(pl.col(key).cast(pl.String))
    side = collect(table.select(pl.col(key).cast(pl.String), *columns))
    both = entity.join(side, on=key, how="inner")
    if len(both) < _MIN_ENTITIES:
        return best
    for label in audited.labels:
        target = numbers(both[f"__{label.name}"])
        for column in columns:
            values = numbers(both[column])
            known = np.isfinite(values) & np.isfinite(target)
            found = abs(rank_correlation(values[known], target[known]))
            if found > best[0] or (np.isfinite(found) and not np.isfinite(best[0])):
                best = (found, column, label.name, int(known.sum()))
    return best

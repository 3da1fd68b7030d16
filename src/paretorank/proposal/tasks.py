"""Which columns are worth predicting, and which of them happen only after another."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from paretorank.audit.finding import describing_key
from paretorank.data.source import collect
from paretorank.profiling.moments import is_moment
from paretorank.profiling.names import (
    is_code,
    is_duration,
    is_feedback,
    is_outcome,
    is_rating,
    is_target,
    task_name,
    words_of,
)
from paretorank.profiling.profile import ColumnProfile, TableProfile
from paretorank.schema import KeysConfig, LabelKind

_MOSTLY_ZERO = 0.95
_MIN_CHILD_ROWS = 20
_NEARLY_NESTED = 0.95
_COMMON_PARENT = 0.95
_EXTREME = 20.0
_FEW_VALUES = 3
_LARGE_LOG = 50_000
_RARE = 500


@dataclass(frozen=True)
class ProposedTask:
    """One label candidate."""

    name: str
    column: str
    kind: LabelKind
    reason: str
    parent: str | None = None
    observed_when: str | None = None
    scale: float = 1.0
    clip: float | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class ProposedTasks:
    """The tasks, and the outcomes that are none but must not be features either."""

    tasks: tuple[ProposedTask, ...]
    rare: tuple[ProposedTask, ...] = ()
    """Tasks with too few positives to be measured on a tenth of the rows."""
    outcomes: dict[str, str] = field(default_factory=dict)
    """Column -> why it is left out."""


def find_tasks(
    frame: pl.LazyFrame,
    table: TableProfile,
    sample: pl.DataFrame,
    keys: KeysConfig,
    columns: Collection[str],
) -> ProposedTasks:
    """Find label candidates among the columns of the log itself."""
    used = {keys.user, keys.item, keys.request, keys.time}
    tasks: list[ProposedTask] = []
    outcomes: dict[str, str] = {}
    for column in table.columns:
        if column.name in used or column.name not in columns or not _could_vary(column):
            continue
        if is_moment(column) or is_attribute(column, sample, keys):
            continue
        taken = [task.name for task in tasks]
        kind, reason = _judge(column)
        if kind is None:
            if reason:
                outcomes[column.name] = reason
            continue
        tasks.append(ProposedTask(task_name(column.name, taken), column.name, kind, reason))
    return _refine(frame, table, tasks, outcomes)


def is_attribute(column: ColumnProfile, sample: pl.DataFrame, keys: KeysConfig) -> bool:
    """Return whether the column describes the user or the item, since it never varies with one."""
    return describing_key(sample, column.name, (keys.user, keys.item)) is not None


def _could_vary(column: ColumnProfile) -> bool:
    return column.kind in ("integer", "float", "boolean", "text") and column.n_unique > 1


def _judge(column: ColumnProfile) -> tuple[LabelKind | None, str]:
    """Return the kind of label and why, or None and why the column must be left out ("" if not)."""
    name = column.name
    share = 1 - column.zeros / max(column.filled, 1)
    if column.is_binary and (is_feedback(name) or is_target(name)):
        return "binary", f"0/1, named like feedback, 1 on {share:.2%} of rows"
    if column.kind == "text":
        if is_feedback(name) and column.n_unique == 2:  # noqa: PLR2004 - yes and no
            return None, "looks like feedback but is text; make it 0/1 to predict it"
        return None, ""
    if column.is_binary:
        return None, ""
    if is_target(name):
        return "regression", f"named like a target, mean {column.mean or 0:.4g}"
    if is_rating(name):
        if column.n_unique >= _FEW_VALUES:
            return "regression", f"named like a mark, {column.n_unique:,} values"
        return None, ""
    if is_outcome(name):
        zeros = 1 - share
        if is_duration(name) and (column.minimum or 0) >= 0 and zeros < _MOSTLY_ZERO:
            return "duration", f"time the user spent, 0 on {zeros:.1%} of rows"
        return None, f"outcome by its name, 0 on {zeros:.1%} of rows: known only afterwards"
    if is_feedback(name) and not is_code(name):
        if column.is_whole and (column.minimum or 0) >= 0:
            return "count", f"counts feedback, mean {column.mean or 0:.4g}"
        return None, "outcome by its name: known only afterwards"
    return None, ""


def _refine(
    frame: pl.LazyFrame,
    table: TableProfile,
    tasks: Sequence[ProposedTask],
    outcomes: dict[str, str],
) -> ProposedTasks:
    binary = [task for task in tasks if task.kind == "binary"]
    durations = [task for task in tasks if task.kind == "duration"]
    durations.sort(key=lambda task: table.column(task.column).zeros)
    kept = [*binary, *durations[:1]]
    kept += [task for task in tasks if task.kind == "regression"]
    counts = [task for task in tasks if task.kind == "count"]
    kept += [] if kept else counts
    for task in tasks:
        if task not in kept:
            outcomes[task.column] = f"another outcome ({task.reason}): known only afterwards"
    overlaps = _overlaps(frame, [task.column for task in binary], [t.column for t in kept])
    final: list[ProposedTask] = []
    for task in kept:
        same = _twin(task, final, overlaps)
        if same:
            outcomes[task.column] = f"the same 0/1 as {same}"
            continue
        final.append(_with_parent(_with_scale(task, frame), binary, overlaps, outcomes))
    rare = [task for task in final if _is_rare(task, table)]
    rare = rare if len(rare) < len(final) else []
    for task in rare:
        outcomes[task.column] = "a label too rare to be measured on a tenth of the rows"
    final = [_without(task, {r.name for r in rare}) for task in final if task not in rare]
    return ProposedTasks(tuple(final), tuple(rare), outcomes)


def _without(task: ProposedTask, gone: Collection[str]) -> ProposedTask:
    """Return the task independent of tasks that are not proposed."""
    if task.parent in gone:
        return replace(task, parent=None)
    return replace(task, observed_when=None) if task.observed_when in gone else task


def _is_rare(task: ProposedTask, table: TableProfile) -> bool:
    column = table.column(task.column)
    positives = column.filled - column.zeros
    return task.kind == "binary" and table.rows >= _LARGE_LOG and positives < _RARE


Overlaps = dict[tuple[str, str], tuple[int, int, int, int]]
"""(parent, child) -> rows where both are positive, where only the child is, where only the parent
is, and rows where both are known."""


def _overlaps(frame: pl.LazyFrame, parents: list[str], children: list[str]) -> Overlaps:
    queries = []
    pairs = [(a, b) for a in parents for b in children if a != b]
    for index, (a, b) in enumerate(pairs):
        first, second = pl.col(a).cast(pl.Float64) > 0, pl.col(b).cast(pl.Float64) > 0
        queries += [
            (first & second).sum().alias(f"{index}.both"),
            (~first & second).sum().alias(f"{index}.child"),
            (first & ~second).sum().alias(f"{index}.parent"),
            (first.is_not_null() & second.is_not_null()).sum().alias(f"{index}.rows"),
        ]
    if not queries:
        return {}
    found = collect(frame.select(queries)).row(0)
    return {pair: found[4 * index : 4 * index + 4] for index, pair in enumerate(pairs)}


def _twin(task: ProposedTask, before: Sequence[ProposedTask], overlaps: Overlaps) -> str | None:
    for other in before:
        both, child, parent, _ = overlaps.get((other.column, task.column), (0, 1, 1, 0))
        if task.kind == other.kind == "binary" and both and not child and not parent:
            return other.column
    return None


def _with_parent(
    task: ProposedTask,
    binary: Sequence[ProposedTask],
    overlaps: Overlaps,
    outcomes: dict[str, str],
) -> ProposedTask:
    """Give the task the closest task that always happens with it."""
    if task.kind not in ("binary", "duration"):
        return task
    strict, near = [], []
    for other in binary:
        if other.column == task.column or other.column in outcomes:
            continue
        both, child, parent, rows = overlaps[(other.column, task.column)]
        rate = (both + parent) / max(rows, 1)
        if (
            both < _MIN_CHILD_ROWS
            or rate > _COMMON_PARENT
            or (task.kind == "binary" and not parent)
        ):
            continue
        if child == 0 and rate**both < 1e-6:  # noqa: PLR2004 - such a nesting is no chance
            strict.append((both + parent, other, both))
        elif both / (both + child) >= max(_NEARLY_NESTED, 2 * rate):
            near.append((child / (both + child), other, child, both + child))
    if strict:
        _, other, both = min(strict, key=lambda s: (s[0], s[1].name))
        remark = f"{task.name} happens only with {other.name}: 0 of {both:,} without {other.name}"
        if task.kind == "duration":
            return replace(task, observed_when=other.name, remarks=(remark, *task.remarks))
        return replace(task, parent=other.name, remarks=(remark, *task.remarks))
    if near:
        _, other, child, rows = min(near, key=lambda s: (s[0], s[1].name))
        remark = f"not strictly after {other.name}: {child:,} of {rows:,} without {other.name}"
        return replace(task, remarks=(remark, *task.remarks))
    return task


def _with_scale(task: ProposedTask, frame: pl.LazyFrame) -> ProposedTask:
    """Turn milliseconds into seconds, and cut off a tail that would rule the loss."""
    if task.kind != "duration":
        return task
    words = set(words_of(task.column))
    scale = 0.001 if words & {"ms", "millis", "milliseconds", "msec"} else 1.0
    values = pl.col(task.column).cast(pl.Float64).fill_nan(None)
    positive = values.filter(values > 0)
    middle, tail, top = collect(
        frame.select(
            positive.median().alias("middle"),
            values.quantile(0.999).alias("tail"),
            values.max().alias("top"),
        )
    ).row(0)
    clip = None
    if middle and tail and top > max(tail, _EXTREME * middle):
        clip = float(f"{tail * scale:.3g}")
    remark = () if clip is None else (f"the largest is {top / middle:.0f} times the median",)
    return replace(task, scale=scale, clip=clip, remarks=remark)

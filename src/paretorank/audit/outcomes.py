"""Columns that are known only after the impression: labels, what follows from them, outcomes."""

import numpy as np
import polars as pl

from paretorank.audit.finding import Audited, Finding
from paretorank.audit.leakage import purity
from paretorank.audit.measure import numbers, rank_correlation
from paretorank.profiling.names import is_feedback, is_outcome, is_rating
from paretorank.profiling.profile import ColumnProfile, kind_of
from paretorank.schema import LabelSpec

_SAME_ORDER = 0.999
_MIN_HITS = 20
_RANKED_ROWS = 20_000


def check_outcomes(audited: Audited) -> list[Finding]:
    """Report labels and outcomes among the features, and outcomes that lie in the log unused."""
    findings: list[Finding] = []
    used, labels = audited.feature_columns(), audited.label_columns()
    own = set(audited.log.collect_schema().names())
    for column in audited.table.columns:
        name = column.name
        if name in audited.key_columns() or column.is_empty:
            continue
        if name in used:
            findings += _of_feature(audited, column, used[name])
        elif looks_like_outcome(column) and not audited.describing_key(name):
            findings.append(_unused(audited, column, labels.get(name)))
        elif name in own and name not in labels and not column.is_binary:
            findings += _unused_but_derived(audited, column)
    return findings


def looks_like_outcome(column: ColumnProfile) -> bool:
    """Return whether the name and the type of a column are those of an outcome."""
    return column.is_number and not column.is_binary and is_outcome(column.name)


def evidence(sample: pl.DataFrame, name: str, labels: list[LabelSpec]) -> str:
    """Return on which feedback the column depends most plainly, or an empty text."""
    best: tuple[float, str] = (0.0, "")
    values = np.nan_to_num(numbers(sample[name])) if _numeric(sample, name) else None
    if values is None:
        return ""
    for label in labels:
        if label.kind != "binary" or label.column == name:
            continue
        happened = numbers(sample[label.column])
        with_it, without = values[happened > 0] != 0, values[happened == 0] != 0
        if not with_it.sum() or not len(without):
            continue
        lift = with_it.mean() / max(without.mean(), 1 / len(without))
        if lift > best[0] and with_it.sum() >= _MIN_HITS:
            text = (
                f"0 on {1 - without.mean():.1%} of rows without {label.name}, "
                f"on {1 - with_it.mean():.1%} of those with it"
            )
            best = (float(lift), text)
    return best[1]


def _of_feature(audited: Audited, column: ColumnProfile, feature: str) -> list[Finding]:
    name = column.name
    place = f"features.{feature}"
    remedy = "Remove it: when the model serves, nobody knows it yet."
    task = audited.label_columns().get(name)
    if task:
        problem = f"the column {name} is the label of the task {task}"
        return [Finding("serious", "label as feature", place, problem, remedy)]
    derived = _derived(audited, column)
    if derived:
        return [Finding("serious", "derived from a label", place, derived, remedy)]
    feedback = column.is_binary and is_feedback(name)
    if not (feedback or looks_like_outcome(column) or (is_rating(name) and column.is_number)):
        return []
    key = audited.describing_key(name)
    if key or is_rating(name):
        where = f", but never varies within {key}" if key else ""
        problem = f"the name {name} is that of an outcome{where}"
        advice = "Make sure that it is as of the impression and not over the whole period."
        return [Finding("warning", "outcome as feature", place, problem, advice)]
    shown = evidence(audited.sample, name, list(audited.labels))
    problem = f"the name {name} is that of an outcome" + (f"; {shown}" if shown else "")
    return [Finding("serious", "outcome as feature", place, problem, remedy)]


def _derived(audited: Audited, column: ColumnProfile) -> str | None:
    """Return how the column follows from a label, if it does."""
    sample, name = audited.sample, column.name
    if not _numeric(sample, name) or column.is_constant:
        return None
    some = sample.gather_every(max(1, len(sample) // _RANKED_ROWS))
    values = numbers(some[name])
    for label in audited.labels:
        target = numbers(some[label.column])
        known = np.isfinite(values) & np.isfinite(target)
        if known.sum() <= _MIN_HITS:
            continue
        correlation = rank_correlation(values[known], target[known])
        if abs(correlation) >= _SAME_ORDER:
            return f"{name} has the order of the label of {label.name} (Spearman {correlation:.4f})"
        if label.kind != "binary":
            continue
        pure = purity(sample[name], sample[label.column])
        if pure:
            return (
                f"{name} is not zero only where {label.name} happened "
                f"({pure[1]:.1%} of {pure[0]:,} rows)"
            )
    return None


def _unused(audited: Audited, column: ColumnProfile, task: str | None) -> Finding:
    shown = evidence(audited.sample, column.name, list(audited.labels))
    role = f"label of {task}; " if task else ""
    zeros = column.zeros / max(column.filled, 1)
    return Finding(
        severity="note",
        check="outcome",
        place=f"log.{column.name}",
        problem=f"{role}an outcome, known only after the impression"
        + (f": {shown}" if shown else f": 0 on {zeros:.1%} of rows"),
        remedy="Never use it as a feature.",
        numbers={"zeros": round(zeros, 4)},
    )


def _unused_but_derived(audited: Audited, column: ColumnProfile) -> list[Finding]:
    derived = _derived(audited, column)
    if not derived:
        return []
    remedy = "Never use it as a feature."
    return [Finding("note", "outcome", f"log.{column.name}", derived, remedy)]


def _numeric(sample: pl.DataFrame, name: str) -> bool:
    return kind_of(sample[name].dtype) in ("integer", "float", "boolean")

"""Labels that are not of their kind, are seldom known, drift, or contradict their sample space."""

import numpy as np
import polars as pl

from paretorank.audit.finding import Audited, Finding
from paretorank.data.labels import label_expressions, violation_expressions
from paretorank.data.source import collect
from paretorank.profiling.moments import EPOCHS, time_unit
from paretorank.schema import LabelSpec

_DRIFT = 1.5
_DRIFT_Z = 6.0
_MIN_DAY_ROWS = 200
_MOSTLY_MISSING = 0.5
_DAY_SECONDS = 86_400
_MIN_DAYS = 3
_RULES = {
    "binary": "0, 1 or missing",
    "regression": "finite",
    "duration": "finite and >= 0",
    "count": "whole and >= 0",
    "ordinal": "whole and from 0 to n_levels - 1",
}


def check_labels(audited: Audited) -> list[Finding]:
    """Report what is wrong with the labels themselves."""
    if not audited.labels:
        remedy = 'Add one: [tasks.click] kind = "binary", label = "is_click".'
        return [Finding("serious", "no task", "tasks", "there is nothing to predict", remedy)]
    return [
        *_kinds(audited),
        *_missing(audited),
        *_sample_spaces(audited),
        *_drift(audited),
    ]


def _kinds(audited: Audited) -> list[Finding]:
    wrong = violation_expressions(audited.labels)
    queries = [expression.alias(label.name) for label, expression in _named(audited, wrong)]
    counts = collect(audited.frame.select(queries)).row(0, named=True)
    return [
        Finding(
            severity="serious",
            check="impossible label",
            place=f"tasks.{label.name}",
            problem=f"{counts[label.name]:,} values of {label.column} are not "
            f"{_RULES[label.kind]}, as kind = {label.kind!r} demands",
            remedy="Clean the column or choose another kind.",
            numbers={"rows": int(counts[label.name])},
        )
        for label in audited.labels
        if counts[label.name]
    ]


def _missing(audited: Audited) -> list[Finding]:
    queries = [
        expression.is_null().mean().alias(label.name)
        for label, expression in zip(audited.labels, label_expressions(audited.labels), strict=True)
    ]
    shares = collect(audited.frame.select(queries)).row(0, named=True)
    return [
        Finding(
            severity="note",
            check="missing labels",
            place=f"tasks.{label.name}",
            problem=f"not observed on {shares[label.name]:.2%} of rows"
            + (f" (observed_when = {label.observed_when!r})" if label.observed_when else ""),
            remedy="Nothing to do where that is meant; such rows count for other tasks only.",
            numbers={"share": round(shares[label.name], 5)},
        )
        for label in audited.labels
        if shares[label.name] and (not label.observed_when or shares[label.name] > _MOSTLY_MISSING)
    ]


def _sample_spaces(audited: Audited) -> list[Finding]:
    """Report positives of a task on rows where the task above it did not happen."""
    by_name = {label.name: label for label in audited.labels}
    findings = []
    for label in audited.labels:
        spaces = [("parent", parent) for parent in label.parents]
        for key, above in (*spaces, ("observed_when", label.observed_when)):
            if above is None or above not in by_name:
                continue
            stray, positive = _strays(audited, label, by_name[above])
            if not stray:
                continue
            findings.append(
                Finding(
                    severity="warning",
                    check="sample space",
                    place=f"tasks.{label.name}.{key}",
                    problem=f"{label.name} happened on {stray:,} rows without {above} "
                    f"({stray / positive:.2%} of its {positive:,} positives)",
                    remedy=f"Remove {key}, or correct the log: those rows contradict it.",
                    numbers={"rows": stray, "positives": positive},
                )
            )
    return findings


def _strays(audited: Audited, label: LabelSpec, above: LabelSpec) -> tuple[int, int]:
    child = pl.col(label.column).cast(pl.Float64, strict=False).fill_nan(None) > 0
    parent = pl.col(above.column).cast(pl.Float64, strict=False).fill_nan(None)
    counts = audited.frame.select((child & (parent == 0)).sum(), child.sum().alias("positive"))
    stray, positive = collect(counts).row(0)
    return int(stray), int(positive)


def _drift(audited: Audited) -> list[Finding]:
    """Report tasks whose mean changes from day to day by more than chance."""
    day = _day(audited)
    if day is None:
        return []
    columns = label_expressions(audited.labels)
    means = [c.mean().alias(f"{label.name}.mean") for label, c in _named(audited, columns)]
    stds = [c.std().alias(f"{label.name}.std") for label, c in _named(audited, columns)]
    counts = [c.count().alias(f"{label.name}.rows") for label, c in _named(audited, columns)]
    days = collect(audited.frame.group_by(day.alias("__day")).agg(*means, *stds, *counts))
    days = days.drop_nulls("__day").sort("__day")
    findings = []
    for label in audited.labels:
        known = days.filter(pl.col(f"{label.name}.rows") >= _MIN_DAY_ROWS)
        if len(known) >= _MIN_DAYS:
            findings += _drift_of(label, known)
    return findings


def _drift_of(label: LabelSpec, days: pl.DataFrame) -> list[Finding]:
    mean = days[f"{label.name}.mean"].to_numpy().astype(np.float64)
    spread = days[f"{label.name}.std"].fill_null(0).to_numpy().astype(np.float64)
    rows = days[f"{label.name}.rows"].to_numpy().astype(np.float64)
    low, high = int(mean.argmin()), int(mean.argmax())
    error = float(np.hypot(spread[low] / rows[low] ** 0.5, spread[high] / rows[high] ** 0.5))
    gap = float(mean[high] - mean[low])
    if mean[low] < 0 or mean[high] < _DRIFT * mean[low] or gap <= _DRIFT_Z * error:
        return []
    return [
        Finding(
            severity="warning",
            check="drift",
            place=f"tasks.{label.name}",
            problem=f"its mean is {mean[low]:.4g} on one day and {mean[high]:.4g} on another "
            f"({len(mean)} days)",
            remedy="Look for a change of product or of logging; train on days like the test.",
            numbers={"lowest": float(mean[low]), "highest": float(mean[high]), "days": len(mean)},
        )
    ]


def _named(audited: Audited, columns: list[pl.Expr]) -> list[tuple[LabelSpec, pl.Expr]]:
    return list(zip(audited.labels, columns, strict=True))


def _day(audited: Audited) -> pl.Expr | None:
    """Return the day of a row, or None where the time does not tell."""
    name = audited.data.keys.time
    if name is None or name not in audited.table.names():
        return None
    unit = time_unit(audited.table.column(name))
    column = pl.col(name)
    if unit in ("a date-time", "a date"):
        return column.dt.date() if unit == "a date-time" else column
    if unit == "a date as a number":
        return column
    for name_of_unit, factor in EPOCHS.items():
        if unit == f"{name_of_unit} since 1970":
            return (column.cast(pl.Float64, strict=False) / (factor * _DAY_SECONDS)).floor()
    return None

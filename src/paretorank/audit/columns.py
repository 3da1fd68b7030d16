"""Columns that are constant, empty or hold values which cannot be."""

import polars as pl

from paretorank.audit.finding import Audited, Finding
from paretorank.data.source import collect
from paretorank.profiling.names import is_magnitude, is_outcome
from paretorank.profiling.profile import ColumnProfile
from paretorank.schema import CategoricalFeature, NumericFeature

_NAMES_SHOWN = 8
_MOST_ZEROS = 0.5
_EXTREME = 100.0
_TAIL = 0.999
_BEYOND_TAIL = 10.0


def check_columns(audited: Audited) -> list[Finding]:
    """Report constant and empty columns, codes for missing values, and impossible zeros."""
    return [
        *_constant(audited),
        *_codes(audited),
        *_zeros(audited),
        *_extremes(audited),
    ]


def _constant(audited: Audited) -> list[Finding]:
    used = audited.feature_columns()
    findings, unused = [], []
    for column in audited.table.columns:
        name = column.name
        if not column.is_empty and not column.is_constant:
            continue
        value = "empty" if column.is_empty else f"always {column.minimum}"
        if name in used:
            remedy = "Remove it: it says nothing."
            problem = f"the column {name} is {value}"
            place = f"features.{used[name]}"
            findings.append(Finding("warning", "constant column", place, problem, remedy))
        elif name not in audited.label_columns():
            unused.append(f"{name} ({value})")
    if unused:
        shown = ", ".join(unused[:_NAMES_SHOWN]) + (", ..." if len(unused) > _NAMES_SHOWN else "")
        problem = f"{len(unused)} columns say nothing: {shown}"
        remedy = "Nothing to do; no feature reads them."
        findings.append(Finding("note", "constant column", "data", problem, remedy))
    return findings


def _codes(audited: Audited) -> list[Finding]:
    used = audited.feature_columns()
    findings = []
    for column in audited.table.columns:
        code = column.missing_code
        name = column.name
        if code is None or name in audited.key_columns() or name in audited.label_columns():
            continue
        feature = used.get(name)
        config = audited.features[feature] if feature else None
        declared = isinstance(config, CategoricalFeature | NumericFeature) and any(
            isinstance(value, int | float) and value == code for value in config.missing
        )
        share = column.negatives / column.filled
        problem = f"{name} is {code} on {share:.2%} of rows and never negative otherwise"
        numbers = {"code": code, "share": round(share, 5)}
        if feature is None:
            remedy = "Should you use it: missing = [" + str(code) + "]."
            found = Finding("note", "missing code", name, f"{problem}; unused", remedy, numbers)
        elif declared:
            found = Finding(
                "note",
                "missing code",
                f"features.{feature}",
                f"{problem}; declared as missing",
                "Nothing to do.",
                numbers,
            )
        else:
            found = Finding(
                "warning",
                "missing code",
                f"features.{feature}",
                problem,
                f"Set missing = [{code}] if that number means that nothing is known.",
                numbers,
            )
        findings.append(found)
    return findings


def _zeros(audited: Audited) -> list[Finding]:
    used = audited.feature_columns()
    findings = []
    for column in audited.table.columns:
        name = column.name
        if not _has_impossible_zeros(column) or name in audited.label_columns():
            continue
        share = column.zeros / column.filled
        problem = f"{name} is 0 on {column.zeros:,} rows ({share:.2%}) and positive elsewhere"
        declared = name in used and 0 in getattr(audited.features[used[name]], "missing", ())
        findings.append(
            Finding(
                severity="warning" if name in used and not declared else "note",
                check="zero values",
                place=f"features.{used[name]}" if name in used else name,
                problem=problem + ("; declared as missing" if declared else ""),
                remedy="Nothing to do."
                if declared
                else "Set missing = [0] if zero means that it is not known.",
                numbers={"rows": column.zeros, "share": round(share, 5)},
            )
        )
    return findings


def _has_impossible_zeros(column: ColumnProfile) -> bool:
    if not column.is_number or not is_magnitude(column.name) or is_outcome(column.name):
        return False
    low = column.minimum == 0
    return low and not column.is_binary and 0 < column.zeros < _MOST_ZEROS * column.filled


def _extremes(audited: Audited) -> list[Finding]:
    """Report durations and other numbers to predict whose largest value rules the loss."""
    findings = []
    for label in audited.labels:
        if label.kind == "binary" or label.column not in audited.table.names():
            continue
        value = pl.col(label.column).cast(pl.Float64, strict=False).fill_nan(None)
        positive = value.filter(value > 0)
        top, middle, tail = collect(
            audited.frame.select(
                value.max().alias("top"),
                positive.median().alias("middle"),
                value.quantile(_TAIL).alias("tail"),
            )
        ).row(0)
        if not middle or top is None or tail is None:
            continue
        if top <= _EXTREME * middle and top <= _BEYOND_TAIL * tail:
            continue
        clipped = label.clip is not None and label.clip < top * label.scale
        suggestion = f"{tail * label.scale:.3g}"
        findings.append(
            Finding(
                severity="note" if clipped else "warning",
                check="extreme values",
                place=f"tasks.{label.name}",
                problem=f"the largest {label.column} is {top:,.6g}, {top / middle:,.0f} times the "
                f"median; 99.9 % lie below {tail:,.6g}"
                + (f"; clipped at {label.clip:g}" if clipped else ""),
                remedy="Nothing to do." if clipped else f"Set clip = {suggestion}.",
                numbers={"max": top, "median": middle, "q999": tail},
            )
        )
    return findings

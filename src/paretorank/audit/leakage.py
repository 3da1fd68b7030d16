"""Single columns that say a label too well to have been known before the impression."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from paretorank.audit.finding import Audited, Finding
from paretorank.audit.measure import Signal, numbers, signal, signal_auc, signal_correlation
from paretorank.data.labels import label_expressions
from paretorank.profiling.profile import kind_of, sample_rows
from paretorank.schema import (
    CategoricalFeature,
    FeatureConfig,
    HistoryFeature,
    LabelSpec,
    SequenceFeature,
)

CERTAIN = 0.98
"""A single column that ranks this well has seen the answer."""
_BY_FAR = 0.95
_GAP = 0.15
_STRONG = 0.90
_MIN_CLASS = 30
_MIN_ROWS = 200
_ROWS = 60_000
_MIN_NONZERO = 50
_PURE = 0.995
_CHANCE = 1e-6


@dataclass(frozen=True)
class Leak:
    """How well one feature alone says one label."""

    feature: str
    column: str
    task: str
    measure: str
    """"AUC" or "rank correlation"."""
    value: float
    next_best: float
    """The best value of any other feature; NaN where there is none."""
    serious: bool


def check_leakage(audited: Audited) -> list[Finding]:
    """Report features that alone predict a label too well."""
    leaks = find_leaks(audited.sample, audited.features, audited.labels, audited.data.keys.item)
    return [
        Finding(
            severity="serious" if leak.serious else "warning",
            check="leakage",
            place=f"features.{leak.feature}",
            problem=f"alone predicts the task {leak.task} with {leak.measure} {leak.value:.3f}"
            + (f" (next best feature {leak.next_best:.3f})" if np.isfinite(leak.next_best) else ""),
            remedy="Remove the feature unless it is known before the item is shown.",
            numbers={leak.measure: round(leak.value, 4), "task": leak.task},
        )
        for leak in leaks
    ]


def find_leaks(
    sample: pl.DataFrame,
    features: Mapping[str, FeatureConfig],
    labels: Sequence[LabelSpec],
    item: str | None = None,
) -> list[Leak]:
    """Return the features of a sample that alone predict a label suspiciously well."""
    if not labels or not features:
        return []
    rows = sample_rows(sample.lazy(), _ROWS)
    generator = np.random.default_rng(0)
    signals = {
        name: _signal(rows, name, config, item, generator) for name, config in features.items()
    }
    found: list[Leak] = []
    for label in labels:
        values = numbers(rows.select(label_expressions(labels))[label.name])
        observed = np.isfinite(values)
        if not _enough(values[observed], label):
            continue
        measure = signal_auc if label.kind == "binary" else signal_correlation
        reached = {name: measure(one, values, observed) for name, one in signals.items()}
        found += _too_good(reached, features, label)
    return found


def purity(column: pl.Series, label: pl.Series) -> tuple[int, float] | None:
    """Return (rows that are not zero, share of them with the label) where that share is no chance.

    None where a value of the column does not mean that the label happened.
    """
    if kind_of(column.dtype) not in ("integer", "float", "boolean"):
        return None
    values, happened = numbers(column), numbers(label)
    known = np.isfinite(happened)
    values, happened = np.nan_to_num(values[known]), happened[known] > 0
    hit = values != 0
    n_hit, rate = int(hit.sum()), float(happened.mean()) if len(happened) else 0.0
    if n_hit < _MIN_NONZERO or hit.all() or not 0 < rate < 1:
        return None
    share = float(happened[hit].mean())
    return (n_hit, share) if share >= _PURE and rate**n_hit < _CHANCE else None


def _signal(
    rows: pl.DataFrame,
    name: str,
    config: FeatureConfig,
    item: str | None,
    generator: np.random.Generator,
) -> Signal:
    column = rows[config.column or name]
    if isinstance(config, CategoricalFeature):
        return signal(column, generator, as_category=kind_of(column.dtype) != "list")
    if isinstance(config, SequenceFeature | HistoryFeature) and item is not None:
        return signal(_holds_own_item(rows, column.name, item, config.separator), generator)
    return signal(column, generator)


def _holds_own_item(rows: pl.DataFrame, lists: str, item: str, separator: str) -> pl.Series:
    """Return how often each row's own item stands in its list; a list made later would tell."""
    values = pl.col(lists)
    if rows[lists].dtype == pl.String:
        values = values.str.split(separator)
    own = pl.col(item).cast(pl.String)
    counted = values.cast(pl.List(pl.String)).list.contains(own).cast(pl.Int8).fill_null(0)
    return rows.select(counted.alias(lists))[lists]


def _enough(values: np.ndarray, label: LabelSpec) -> bool:
    if label.kind != "binary":
        return len(values) >= _MIN_ROWS
    positives = int((values > 0).sum())
    return min(positives, len(values) - positives) >= _MIN_CLASS


def _too_good(
    reached: Mapping[str, float], features: Mapping[str, FeatureConfig], label: LabelSpec
) -> list[Leak]:
    found = []
    for name, value in reached.items():
        if not value >= _STRONG:
            continue
        others = [v for other, v in reached.items() if other != name and np.isfinite(v)]
        best = max(others) if others else float("nan")
        found.append(
            Leak(
                feature=name,
                column=features[name].column or name,
                task=label.name,
                measure="AUC" if label.kind == "binary" else "rank correlation",
                value=value,
                next_best=best,
                serious=value >= CERTAIN or (value >= _BY_FAR and best <= value - _GAP),
            )
        )
    return found

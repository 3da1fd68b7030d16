"""One thing that an audit found, and what the checks look at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import polars as pl

from paretorank.profiling.profile import TableProfile
from paretorank.schema import DataConfig, FeatureConfig, LabelSpec

Severity = Literal["serious", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("serious", "warning", "note")
SPLIT_COLUMN = "__split"
"""Column of the audited frame: 0 train, 1 valid, 2 test."""


@dataclass(frozen=True)
class Finding:
    """Something that ruins a ranker, may ruin it, or is good to know."""

    severity: Severity
    """serious: the numbers of a model would be wrong; warning: look at it; note: know it."""
    check: str
    place: str
    """Configuration key or column that it is about."""
    problem: str
    remedy: str
    numbers: Mapping[str, float | int | str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """Return the finding for programs."""
        return {
            "severity": self.severity,
            "check": self.check,
            "place": self.place,
            "problem": self.problem,
            "numbers": dict(self.numbers),
            "remedy": self.remedy,
        }


@dataclass(frozen=True)
class Audited:
    """A configured data set, opened and measured once for all checks."""

    data: DataConfig
    folder: Path
    features: Mapping[str, FeatureConfig]
    labels: Sequence[LabelSpec]
    log: pl.LazyFrame
    """The log alone, as it lies on disk, repeated rows included."""
    frame: pl.LazyFrame
    """Log with joined tables, a row number and the split."""
    table: TableProfile
    """Columns of the log with joined tables."""
    sample: pl.DataFrame
    """Rows of `frame`, seeded."""

    def feature_columns(self) -> dict[str, str]:
        """Return every column that a feature reads -> the feature."""
        return {config.column or name: name for name, config in self.features.items()}

    def label_columns(self) -> dict[str, str]:
        """Return every label column -> the task."""
        return {label.column: label.name for label in self.labels}

    def key_columns(self) -> set[str]:
        """Return the columns that are keys."""
        keys = self.data.keys
        return {key for key in (keys.user, keys.item, keys.request, keys.time) if key is not None}

    def describing_key(self, column: str) -> str | None:
        """Return the user or item key within which the column never varies, if there is one."""
        return describing_key(self.sample, column, (self.data.keys.user, self.data.keys.item))


def describing_key(
    sample: pl.DataFrame, column: str, keys: Sequence[str | None], min_mixed: int = 20
) -> str | None:
    """Return the first key within which a column never varies.

    None where that could be chance: fewer than `min_mixed` rows that differ from the commonest
    value lie with keys that have several rows.
    """
    for key in keys:
        if key is None or key == column:
            continue
        rows = sample.select(pl.col(key).alias("key"), pl.col(column).alias("value")).drop_nulls()
        groups = rows.group_by("key").agg(
            pl.len().alias("rows"),
            (pl.col("value") != pl.col("value").first()).any().alias("varies"),
            pl.col("value").first(),
        )
        several = groups.filter(pl.col("rows") > 1)
        if several.is_empty() or several["varies"].any():
            continue
        by_value = several.group_by("value").agg(pl.col("rows").sum())["rows"].sort(descending=True)
        if int(by_value.sum()) - int(by_value[0]) >= min_mixed:
            return key
    return None


def worst_first(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings by severity, in the order of the checks within one."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))

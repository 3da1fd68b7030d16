"""Fit an encoder on the training rows in one streaming pass.

Every part keeps a small summary that merges by addition (counts of values, a thinned sample of
numbers); only the keys, labels and times that target statistics need are kept row by row, on disk.

Shapes: N training rows, T tasks, S columns of statistics.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

import numpy as np
import polars as pl
from jaxtyping import Float32

from paretorank.data.encoder import (
    Buckets,
    Encoder,
    as_floats,
    feature_columns,
    statistic_columns,
    vector_block,
)
from paretorank.data.history import FittedHistory, fit_item_values
from paretorank.data.labels import WAITING_PREFIX
from paretorank.data.layout import (
    CategoricalColumn,
    Layout,
    NumericColumn,
    RaggedColumn,
    TableSpec,
)
from paretorank.data.lists import read_lists
from paretorank.data.numbers import FittedNumber, fit_line, fit_number
from paretorank.data.row_store import BLOCK_ROWS
from paretorank.data.sequences import check_sequences, sequence_target
from paretorank.data.sketches import Sample, ValueCounts
from paretorank.data.statistics_fit import StatisticsFit
from paretorank.data.vocabulary import Vocabulary, fit_vocabulary, without
from paretorank.foundation.errors import ConfigError
from paretorank.foundation.suggestions import did_you_mean
from paretorank.schema import (
    CategoricalFeature,
    FeatureConfig,
    HistoryFeature,
    LabelSpec,
    NumericFeature,
    SequenceFeature,
    StatisticConfig,
    VectorFeature,
)

_STATISTICS_ROWS = 1_000_000
"""Training rows that mean and spread of a statistic's column are taken from."""


@dataclass(frozen=True)
class FitPlan:
    """What is to be fitted."""

    features: Mapping[str, FeatureConfig]
    statistics: Mapping[str, StatisticConfig]
    labels: Sequence[LabelSpec]
    time: str | None
    item_tables: Sequence[pl.DataFrame] = ()
    """Tables with the item and the matched column of every history: what an item is."""


@dataclass(frozen=True)
class Fitted:
    """An encoder, and what its training rows may see of their own target statistics."""

    encoder: Encoder
    train_statistics: Float32[np.ndarray, "N S"]

    def own_statistics(self, start: int, stop: int) -> Float32[np.ndarray, "n S"]:
        """Return the statistics of some training rows; a file is not kept in memory after it."""
        return np.array(_mapped_anew(self.train_statistics)[start:stop])


def fit_encoder(
    plan: FitPlan, chunks: Iterable[pl.DataFrame], scratch: Path | None = None
) -> Fitted:
    """Fit on chunks of training rows; labels are columns as `LABEL_PREFIX` says.

    Args:
        plan: what to fit.
        chunks: the training rows, in the order of the log.
        scratch: a file for the training rows' own statistics, to be removed after use; without
            one they stay in memory.
    """
    check_plan(plan)
    fit = _Fit(plan, scratch.parent if scratch is not None else None)
    for chunk in chunks:
        fit.update(chunk)
    return fit.finish(scratch)


def check_plan(plan: FitPlan) -> None:
    """Refuse tables and tasks that do not exist.

    Raises:
        ConfigError: a feature shares the table of something that has none, or a statistic counts
            a task that is not declared, or a sequence cannot be pooled as it says.
    """
    owners = [name for name, feature in plan.features.items() if _owns_table(feature)]
    for name, feature in plan.features.items():
        table = getattr(feature, "table", None)
        if table is not None and table not in owners:
            raise ConfigError(
                f"features.{name}.table is {table!r}, which is no feature with its own codes.",
                hint=did_you_mean(table, owners),
            )
    check_sequences(plan.features)
    tasks = [label.name for label in plan.labels]
    for name, statistic in plan.statistics.items():
        for task in statistic.tasks or ():
            if task not in tasks:
                raise ConfigError(
                    f"statistics.{name}.tasks names {task!r}, which is no task.",
                    hint=did_you_mean(task, tasks),
                )


class _Fit:
    """Summaries of the training rows seen so far."""

    def __init__(self, plan: FitPlan, folder: Path | None) -> None:
        self.plan = plan
        self.counts = {n: ValueCounts() for n, f in plan.features.items() if counts_values(f)}
        self.samples: dict[str, Sample] = {}
        self.has_missing: dict[str, bool] = {}
        self.statistics = StatisticsFit(plan.statistics, plan.labels, plan.time, folder=folder)
        self.histories: dict[str, FittedHistory] = {}

    def update(self, chunk: pl.DataFrame) -> None:
        """Take in one chunk of training rows."""
        for name, feature in self.plan.features.items():
            self._update_feature(name, feature, chunk)
        self.statistics.update(chunk)

    def finish(self, scratch: Path | None) -> Fitted:
        """Return the encoder and the training rows' own statistics."""
        vocabularies = {
            name: self._vocabulary(name, feature)
            for name, feature in self.plan.features.items()
            if _owns_table(feature)
        }
        numbers = {n: self._number(n) for n in self.samples}
        statistics, overall, train = self.statistics.finish(scratch)
        names = [
            column
            for name, statistic in statistics.items()
            for column in statistic_columns(name, statistic.task_names)
        ]
        numbers |= {n: fit_line(values) for n, values in zip(names, _thinned(train), strict=True)}
        encoder = Encoder(
            self._layout(vocabularies, numbers, names),
            dict(self.plan.features),
            vocabularies,
            numbers,
            self.histories,
            statistics,
            overall,
        )
        return Fitted(encoder, _mapped_anew(train))

    def _update_feature(self, name: str, feature: FeatureConfig, chunk: pl.DataFrame) -> None:
        column = chunk[feature.column or name]
        match feature:
            case CategoricalFeature() | SequenceFeature():
                if name in self.counts:
                    self.counts[name].update(values_of(feature, column))
            case NumericFeature():
                self._sample(name, as_floats(without(column, feature.missing)))
            case VectorFeature():
                missing = bool(np.isnan(vector_block(name, feature, chunk)).any())
                first = f"{name}.0"  # one indicator for the whole vector
                self.has_missing[first] = self.has_missing.get(first, False) or missing
            case HistoryFeature():
                self._update_history(name, feature, chunk)

    def _update_history(self, name: str, feature: HistoryFeature, chunk: pl.DataFrame) -> None:
        if name not in self.histories:
            known = tuple(
                fit_item_values(
                    item_table(self.plan.item_tables, feature.item, match), feature.item, match
                )
                for match in feature.match
            )
            self.histories[name] = FittedHistory(feature, feature.column or name, known)
        block = self.histories[name].transform(chunk).astype(np.float64)
        for at, column in enumerate(self.histories[name].names):
            self._sample(f"{name}.{column}", block[:, at])

    def _sample(self, name: str, values: np.ndarray) -> None:
        self.samples.setdefault(name, Sample()).update(values)
        missing = bool(np.isnan(values).any())
        self.has_missing[name] = self.has_missing.get(name, False) or missing

    def _vocabulary(self, name: str, feature: FeatureConfig) -> Vocabulary | Buckets:
        if isinstance(feature, CategoricalFeature) and feature.hash_buckets is not None:
            return Buckets(feature.hash_buckets)
        min_count = getattr(feature, "min_count", 1)
        return fit_vocabulary(self.counts[name].result(), min_count=min_count)

    def _number(self, name: str) -> FittedNumber:
        feature = self.plan.features.get(name)
        if isinstance(feature, NumericFeature):
            return fit_number(feature, self.samples[name].result())
        return fit_line(self.samples[name].result())

    def _layout(
        self,
        vocabularies: Mapping[str, Vocabulary | Buckets],
        numbers: Mapping[str, FittedNumber],
        statistic_names: list[str],
    ) -> Layout:
        features = self.plan.features
        numeric = [column for name in features for column in self._numeric(name, numbers)]
        numeric += [NumericColumn(name=name) for name in statistic_names]
        numeric += [
            NumericColumn(name=WAITING_PREFIX + label.name, for_losses=True)
            for label in self.plan.labels
            if label.keeps_waiting
        ]
        return Layout(
            tables=tuple(
                TableSpec(name=n, n_codes=v.n_codes, dim=getattr(features[n], "dim", None))
                for n, v in vocabularies.items()
            ),
            categorical=tuple(
                CategoricalColumn(feature=n, table=f.table or n)
                for n, f in features.items()
                if isinstance(f, CategoricalFeature) and not f.multi
            ),
            ragged=tuple(
                _ragged_column(n, f, features)
                for n, f in features.items()
                if isinstance(f, SequenceFeature) or (isinstance(f, CategoricalFeature) and f.multi)
            ),
            numeric=tuple(numeric),
            labels=tuple(self.plan.labels),
        )

    def _numeric(self, name: str, numbers: Mapping[str, FittedNumber]) -> list[NumericColumn]:
        match self.plan.features[name]:
            case NumericFeature():
                names = [name]
            case VectorFeature(dim=dim):
                names = [f"{name}.{at}" for at in range(dim)]
            case HistoryFeature():
                names = [f"{name}.{column}" for column in self.histories[name].names]
            case _:
                names = []
        return [
            NumericColumn(
                name=n,
                n_bins=numbers[n].n_bins if n in numbers else 0,
                has_missing=self.has_missing.get(n, False),
            )
            for n in names
        ]


def _ragged_column(
    name: str,
    feature: CategoricalFeature | SequenceFeature,
    features: Mapping[str, FeatureConfig],
) -> RaggedColumn:
    table = feature.table or name
    if isinstance(feature, CategoricalFeature):
        return RaggedColumn(feature=name, table=table, pooling=feature.pooling)
    return RaggedColumn(
        feature=name,
        table=table,
        pooling=feature.pooling,
        max_length=feature.max_length,
        target=sequence_target(name, feature, features),
        normalize_attention=feature.normalize_attention,
    )


def plan_columns(plan: FitPlan) -> list[str]:
    """Return the columns that fitting reads, besides the labels."""
    needed = [c for name, f in plan.features.items() for c in feature_columns(name, f)]
    needed += [c for statistic in plan.statistics.values() for c in statistic.of]
    needed += [plan.time] if plan.time else []
    return list(dict.fromkeys(needed))


def counts_values(feature: FeatureConfig) -> TypeGuard[CategoricalFeature | SequenceFeature]:
    """Return whether a feature has a vocabulary of its own."""
    hashed = isinstance(feature, CategoricalFeature) and feature.hash_buckets is not None
    return _owns_table(feature) and not hashed


def values_of(feature: CategoricalFeature | SequenceFeature, column: pl.Series) -> pl.Series:
    """Return the values of a column, or of all its lists, with null for what stands for missing."""
    if isinstance(feature, SequenceFeature) or feature.multi:
        column = read_lists(column, separator=feature.separator).values
    return without(column, getattr(feature, "missing", ()))


def item_table(tables: Sequence[pl.DataFrame], item: str, match: str) -> pl.DataFrame:
    """Return the table that tells the matched column of an item."""
    return next(table for table in tables if {item, match} <= set(table.columns))


def _owns_table(feature: FeatureConfig) -> bool:
    return isinstance(feature, CategoricalFeature | SequenceFeature) and feature.table is None


def _thinned(values: np.ndarray) -> Iterator[np.ndarray]:
    """Return each column as floats, every k-th row of very many."""
    sample = Sample(_STATISTICS_ROWS)
    for start in range(0, max(1, len(values)), BLOCK_ROWS):
        sample.update(_mapped_anew(values)[start : start + BLOCK_ROWS])
    return (column.astype(np.float64) for column in sample.result().T)


def _mapped_anew(values: np.ndarray) -> np.ndarray:
    """Return a fresh mapping of a mapped file, without the pages that were read through the old."""
    if not isinstance(values, np.memmap) or values.filename is None:
        return values
    return np.memmap(values.filename, values.dtype, "r", shape=values.shape)

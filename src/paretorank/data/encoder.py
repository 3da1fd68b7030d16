"""The fitted encoder: the same object prepares training shards and serves requests.

It is a pure function of a table. What it learned from the training rows (vocabularies, knots,
target statistics) never changes afterwards.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float32, Int32

from paretorank.data.encoded import Ragged
from paretorank.data.hashing import stable_hash
from paretorank.data.history import FittedHistory
from paretorank.data.layout import Layout
from paretorank.data.lists import read_lists
from paretorank.data.numbers import FittedNumber
from paretorank.data.statistics import (
    FittedStatistic,
    Overall,
    entity_keys,
    statistic_features,
)
from paretorank.data.vocabulary import MISSING, N_RESERVED, Vocabulary, canonical, without
from paretorank.foundation.errors import DataError
from paretorank.schema import (
    CategoricalFeature,
    FeatureConfig,
    HistoryFeature,
    NumericFeature,
    SequenceFeature,
    VectorFeature,
)

_BLOCK_ROWS = 4096


@dataclass(frozen=True)
class Buckets:
    """Codes by hashing: no vocabulary, and values that meet in one bucket share it."""

    n_buckets: int

    @property
    def n_codes(self) -> int:
        """Return how many codes there are, with the reserved ones."""
        return self.n_buckets + N_RESERVED

    def encode(self, column: pl.Series) -> Int32[np.ndarray, " N"]:
        """Return the code of every value."""
        values = canonical(column, "text").str.strip_suffix(".0")
        hashed = stable_hash(values) % np.uint64(self.n_buckets) + np.uint64(N_RESERVED)
        return np.where(values.is_null().to_numpy(), MISSING, hashed).astype(np.int32)


@dataclass(frozen=True)
class EncodedFeatures:
    """The inputs of some rows, without labels and keys."""

    codes: Int32[np.ndarray, "N F"]
    numeric: Float32[np.ndarray, "N M"]
    ragged: tuple[Ragged, ...]


@dataclass(frozen=True)
class Encoder:
    """Everything that was learned from the training rows about turning columns into numbers."""

    layout: Layout
    features: Mapping[str, FeatureConfig]
    vocabularies: Mapping[str, Vocabulary | Buckets]
    numbers: Mapping[str, FittedNumber]
    histories: Mapping[str, FittedHistory]
    statistics: Mapping[str, FittedStatistic]
    overall: Overall

    @property
    def columns(self) -> dict[str, str]:
        """Return every column that is read -> the configuration key that asks for it."""
        needed: dict[str, str] = {}
        for name, feature in self.features.items():
            needed |= dict.fromkeys(feature_columns(name, feature), f"features.{name}")
        for name, statistic in self.statistics.items():
            needed |= dict.fromkeys(statistic.config.of, f"statistics.{name}.of")
        return needed

    def encode(
        self, frame: pl.DataFrame, statistics: Float32[np.ndarray, "N S"] | None = None
    ) -> EncodedFeatures:
        """Encode rows.

        Args:
            frame: rows with at least `columns`.
            statistics: leak-free target statistics of training rows; later rows look theirs up.
        """
        parts = [self._encode_feature(name, frame) for name in self.features]
        if statistics is None:
            statistics = self.look_up_statistics(frame)
        numeric = [part for part in parts if isinstance(part, dict)]
        columns = {name: values for part in numeric for name, values in part.items()}
        for at, name in enumerate(self.statistic_names):
            columns[name] = self.numbers[name].transform(statistics[:, at].astype(np.float64))
        for column in self.layout.numeric:
            if column.for_losses:
                columns[column.name] = _if_known(column.name, frame)
        codes = [part for part in parts if isinstance(part, np.ndarray)]
        return EncodedFeatures(
            _side_by_side(codes, np.empty((len(frame), len(codes)), np.int32)),
            _side_by_side(
                [columns[column.name] for column in self.layout.numeric],
                np.empty((len(frame), len(self.layout.numeric)), np.float32),
            ),
            tuple(part for part in parts if isinstance(part, Ragged)),
        )

    @property
    def statistic_names(self) -> list[str]:
        """Return the names of the statistics' columns, in order."""
        return [
            column
            for name, statistic in self.statistics.items()
            for column in statistic_columns(name, statistic.task_names)
        ]

    def look_up_statistics(self, frame: pl.DataFrame) -> Float32[np.ndarray, "N S"]:
        """Return the target statistics that rows after training see."""
        blocks = [np.zeros((len(frame), 0), np.float32)]
        for statistic in self.statistics.values():
            keys = entity_keys(frame, statistic.config.of, statistic.kinds)
            overall = self.overall.of(statistic.task_names)
            totals = statistic.look_up(keys)
            blocks.append(statistic_features(totals, overall, statistic.config.smoothing))
        return np.concatenate(blocks, axis=1)

    def _encode_feature(
        self, name: str, frame: pl.DataFrame
    ) -> Int32[np.ndarray, " N"] | dict[str, np.ndarray] | Ragged:
        feature = self.features[name]
        match feature:
            case CategoricalFeature(multi=False):
                column = without(frame[feature.column or name], feature.missing)
                return self.vocabularies[feature.table or name].encode(column)
            case CategoricalFeature():
                return self._ragged(frame[feature.column or name], feature.table or name, feature)
            case SequenceFeature():
                return self._ragged(frame[feature.column or name], feature.table or name, feature)
            case NumericFeature():
                column = without(frame[feature.column or name], feature.missing)
                return {name: self.numbers[name].transform(as_floats(column))}
            case VectorFeature():
                block = vector_block(name, feature, frame)
                return {f"{name}.{at}": block[:, at] for at in range(feature.dim)}
            case HistoryFeature():
                history = self.histories[name]
                block = history.transform(frame).astype(np.float64)
                names = [f"{name}.{column}" for column in history.names]
                return {n: self.numbers[n].transform(block[:, i]) for i, n in enumerate(names)}

    def _ragged(
        self, column: pl.Series, table: str, feature: CategoricalFeature | SequenceFeature
    ) -> Ragged:
        longest = feature.max_length if isinstance(feature, SequenceFeature) else None
        lists = read_lists(column, separator=feature.separator, max_length=longest)
        values = without(lists.values, getattr(feature, "missing", ()))
        return Ragged(self.vocabularies[table].encode(values), lists.offsets)


def feature_columns(name: str, feature: FeatureConfig) -> list[str]:
    """Return the columns that a feature reads."""
    columns = [feature.column or name]
    if isinstance(feature, HistoryFeature):
        columns += [feature.item, *feature.match]
        columns += [feature.relative_to] if feature.relative_to else []
    return columns


def statistic_columns(name: str, task_names: tuple[str, ...]) -> list[str]:
    """Return the names of the columns of one statistic."""
    return [*(f"{name}.{task}" for task in task_names), f"{name}.rows"]


def as_floats(column: pl.Series) -> np.ndarray:
    """Return a column as floats with NaN for null."""
    if column.dtype.is_temporal():
        column = column.cast(pl.Int64)
    if isinstance(column.dtype, pl.Categorical | pl.Enum):
        column = column.cast(pl.String)
    return column.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()


def _if_known(name: str, frame: pl.DataFrame) -> np.ndarray:
    """Return a column as floats; NaN where the rows do not have it."""
    if name not in frame.columns:
        return np.full(len(frame), np.nan, np.float32)
    return as_floats(frame[name]).astype(np.float32)


def vector_block(name: str, feature: VectorFeature, frame: pl.DataFrame) -> np.ndarray:
    """Return dense vectors as rows; a missing vector is all NaN.

    Raises:
        DataError: a vector has another length than the feature declares.
    """
    lists = read_lists(frame[feature.column or name])
    wrong = (lists.lengths != feature.dim) & (lists.lengths != 0)
    if wrong.any():
        raise DataError(
            f"features.{name}.dim is {feature.dim}, but a row has a vector of length "
            f"{lists.lengths[wrong][0]}.",
            hint="Give the true length; all vectors of a column must be equally long.",
        )
    block = np.full((len(frame), feature.dim), np.nan, dtype=np.float32)
    block[lists.lengths > 0] = as_floats(lists.values).reshape(-1, feature.dim)
    return block


def _side_by_side(columns: list[np.ndarray], rows: np.ndarray) -> np.ndarray:
    """Write columns into rows, some rows at a time so that they stay in the cache."""
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = rows[start : start + _BLOCK_ROWS]
        for at, column in enumerate(columns):
            block[:, at] = column[start : start + _BLOCK_ROWS]
    return rows

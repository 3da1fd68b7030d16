"""What the columns of a data set mean."""

from paretorank.schema.dataset import DataConfig, JoinConfig, KeysConfig, SplitConfig, SplitName
from paretorank.schema.features import (
    CategoricalFeature,
    FeatureConfig,
    HistoryFeature,
    NumericFeature,
    SequenceFeature,
    VectorFeature,
)
from paretorank.schema.labels import LabelKind, LabelSpec
from paretorank.schema.statistics import StatisticConfig

__all__ = [
    "CategoricalFeature",
    "DataConfig",
    "FeatureConfig",
    "HistoryFeature",
    "JoinConfig",
    "KeysConfig",
    "LabelKind",
    "LabelSpec",
    "NumericFeature",
    "SequenceFeature",
    "SplitConfig",
    "SplitName",
    "StatisticConfig",
    "VectorFeature",
]

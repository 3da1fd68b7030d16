"""Batch -> numbers a network can use."""

from paretorank.embedding.feature_bank import FeatureBank
from paretorank.embedding.wide import Wide

__all__ = ["FeatureBank", "Wide"]

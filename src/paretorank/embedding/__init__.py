"""Batch -> numbers a network can use."""

from paretorank.embedding.cross import CrossNetwork, DCNv2Config
from paretorank.embedding.feature_bank import FeatureBank
from paretorank.embedding.fm import FactorizationMachine, FMConfig, equal_dim
from paretorank.embedding.gated_cross import GatedConfig, GatedCrossNetwork
from paretorank.embedding.interaction import InputField, Interaction
from paretorank.embedding.interactions import InteractionConfig
from paretorank.embedding.no_interaction import NoInteractionConfig
from paretorank.embedding.wide import Wide

__all__ = [
    "CrossNetwork",
    "DCNv2Config",
    "FMConfig",
    "FactorizationMachine",
    "FeatureBank",
    "GatedConfig",
    "GatedCrossNetwork",
    "InputField",
    "Interaction",
    "InteractionConfig",
    "NoInteractionConfig",
    "Wide",
    "equal_dim",
]

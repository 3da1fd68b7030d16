"""How much each task counts in one step."""

from typing import Annotated

from pydantic import Field

from paretorank.balancing.base import LossBalancer
from paretorank.balancing.dwa import DWA, DWAConfig
from paretorank.balancing.equal import Equal, EqualConfig
from paretorank.balancing.famo import FAMO, FAMOConfig
from paretorank.balancing.learned_scales import IMTLLConfig, LearnedScales, UWConfig
from paretorank.balancing.prioritisation import Prioritisation, PrioritisationConfig, priority
from paretorank.balancing.random_weights import RandomConfig, RandomWeights
from paretorank.balancing.scalarizers import (
    ConstantConfig,
    COSMOSConfig,
    GeometricMeanConfig,
    MeanConfig,
    PBIConfig,
    PresentTasks,
    STCHConfig,
    SumConfig,
)
from paretorank.balancing.scheduled import Scheduled, ScheduledConfig
from paretorank.balancing.static import Static, StaticConfig
from paretorank.balancing.uncertainty import Uncertainty, UncertaintyConfig
from paretorank.balancing.uncertainty_revised import RevisedUncertainty
from paretorank.balancing.uw_o import UWO, UWOConfig
from paretorank.balancing.uw_so import UWSO, UWSOConfig

BalancerConfig = Annotated[
    EqualConfig
    | StaticConfig
    | ScheduledConfig
    | UncertaintyConfig
    | UWOConfig
    | UWSOConfig
    | PrioritisationConfig
    | ConstantConfig
    | COSMOSConfig
    | DWAConfig
    | FAMOConfig
    | GeometricMeanConfig
    | IMTLLConfig
    | MeanConfig
    | PBIConfig
    | RandomConfig
    | STCHConfig
    | SumConfig
    | UWConfig,
    Field(discriminator="kind"),
]

__all__ = [
    "DWA",
    "FAMO",
    "UWO",
    "UWSO",
    "BalancerConfig",
    "COSMOSConfig",
    "ConstantConfig",
    "DWAConfig",
    "Equal",
    "EqualConfig",
    "FAMOConfig",
    "GeometricMeanConfig",
    "IMTLLConfig",
    "LearnedScales",
    "LossBalancer",
    "MeanConfig",
    "PBIConfig",
    "PresentTasks",
    "Prioritisation",
    "PrioritisationConfig",
    "RandomConfig",
    "RandomWeights",
    "RevisedUncertainty",
    "STCHConfig",
    "Scheduled",
    "ScheduledConfig",
    "Static",
    "StaticConfig",
    "SumConfig",
    "UWConfig",
    "UWOConfig",
    "UWSOConfig",
    "Uncertainty",
    "UncertaintyConfig",
    "priority",
]

"""How much each task counts in one step."""

from typing import Annotated

from pydantic import Field

from paretorank.balancing.base import LossBalancer
from paretorank.balancing.config_direction import ConFIGConfig, ConFIGDirection
from paretorank.balancing.dwa import DWA, DWAConfig
from paretorank.balancing.equal import Equal, EqualConfig
from paretorank.balancing.famo import FAMO, FAMOConfig
from paretorank.balancing.gradient_balancer import (
    GradientSection,
    GramianBalancer,
    JacobianBalancer,
    PeriodicSection,
    RowBalancer,
    RowWeights,
    SeenGradients,
    SeenRows,
)
from paretorank.balancing.gradnorm import GradNorm, GradNormConfig
from paretorank.balancing.learned_scales import IMTLLConfig, LearnedScales, UWConfig
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
from paretorank.balancing.static import Static, StaticConfig
from paretorank.balancing.uncertainty import Uncertainty, UncertaintyConfig
from paretorank.balancing.uncertainty_revised import RevisedUncertainty
from paretorank.balancing.upgrad import UPGrad, UPGradConfig

BalancerConfig = Annotated[
    EqualConfig
    | StaticConfig
    | UncertaintyConfig
    | ConFIGConfig
    | ConstantConfig
    | COSMOSConfig
    | DWAConfig
    | FAMOConfig
    | GeometricMeanConfig
    | GradNormConfig
    | IMTLLConfig
    | MeanConfig
    | PBIConfig
    | RandomConfig
    | STCHConfig
    | SumConfig
    | UPGradConfig
    | UWConfig,
    Field(discriminator="kind"),
]

Balancer = LossBalancer | GramianBalancer | JacobianBalancer | RowBalancer
"""By what they are shown: losses, inner products of gradients, gradients, rows."""

__all__ = [
    "DWA",
    "FAMO",
    "Balancer",
    "BalancerConfig",
    "COSMOSConfig",
    "ConFIGConfig",
    "ConFIGDirection",
    "ConstantConfig",
    "DWAConfig",
    "Equal",
    "EqualConfig",
    "FAMOConfig",
    "GeometricMeanConfig",
    "GradNorm",
    "GradNormConfig",
    "GradientSection",
    "GramianBalancer",
    "IMTLLConfig",
    "JacobianBalancer",
    "LearnedScales",
    "LossBalancer",
    "MeanConfig",
    "PBIConfig",
    "PeriodicSection",
    "PresentTasks",
    "RandomConfig",
    "RandomWeights",
    "RevisedUncertainty",
    "RowBalancer",
    "RowWeights",
    "STCHConfig",
    "SeenGradients",
    "SeenRows",
    "Static",
    "StaticConfig",
    "SumConfig",
    "UPGrad",
    "UPGradConfig",
    "UWConfig",
    "Uncertainty",
    "UncertaintyConfig",
]

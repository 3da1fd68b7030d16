"""How much each task counts in one step."""

from typing import Annotated

from pydantic import Field

from paretorank.balancing.base import LossBalancer
from paretorank.balancing.config_direction import ConFIGConfig, ConFIGDirection
from paretorank.balancing.constrained import Constrained, ConstrainedConfig
from paretorank.balancing.db_mtl import DBMTL, DBMTLConfig
from paretorank.balancing.dwa import DWA, DWAConfig
from paretorank.balancing.epo import EPO, EPOConfig
from paretorank.balancing.equal import Equal, EqualConfig
from paretorank.balancing.famo import FAMO, FAMOConfig
from paretorank.balancing.gradcraft import GradCraft, GradCraftConfig
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
from paretorank.balancing.learned_scales import IMTLLConfig, LearnedScales, UWConfig
from paretorank.balancing.metabalance import MetaBalance, MetaBalanceConfig
from paretorank.balancing.mgda import MGDA, MGDAConfig
from paretorank.balancing.nash import Nash, NashConfig
from paretorank.balancing.pe_ltr import PELTR, PELTRConfig
from paretorank.balancing.preference import PreferenceConfig, PreferenceDraws
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
from paretorank.balancing.upgrad import UPGrad, UPGradConfig
from paretorank.balancing.uw_o import UWO, UWOConfig
from paretorank.balancing.uw_so import UWSO, UWSOConfig

BalancerConfig = Annotated[
    EqualConfig
    | StaticConfig
    | ScheduledConfig
    | UncertaintyConfig
    | ConFIGConfig
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
    | ConstrainedConfig
    | DBMTLConfig
    | EPOConfig
    | GradCraftConfig
    | MetaBalanceConfig
    | MGDAConfig
    | NashConfig
    | PELTRConfig
    | PreferenceConfig
    | UPGradConfig
    | UWConfig,
    Field(discriminator="kind"),
]

Balancer = LossBalancer | GramianBalancer | JacobianBalancer | RowBalancer
"""By what they are shown: losses, inner products of gradients, gradients, rows."""

__all__ = [
    "DBMTL",
    "DWA",
    "EPO",
    "FAMO",
    "MGDA",
    "PELTR",
    "UWO",
    "UWSO",
    "Balancer",
    "BalancerConfig",
    "COSMOSConfig",
    "ConFIGConfig",
    "ConFIGDirection",
    "ConstantConfig",
    "Constrained",
    "ConstrainedConfig",
    "DBMTLConfig",
    "DWAConfig",
    "EPOConfig",
    "Equal",
    "EqualConfig",
    "FAMOConfig",
    "GeometricMeanConfig",
    "GradCraft",
    "GradCraftConfig",
    "GradientSection",
    "GramianBalancer",
    "IMTLLConfig",
    "JacobianBalancer",
    "LearnedScales",
    "LossBalancer",
    "MGDAConfig",
    "MeanConfig",
    "MetaBalance",
    "MetaBalanceConfig",
    "Nash",
    "NashConfig",
    "PBIConfig",
    "PELTRConfig",
    "PeriodicSection",
    "PreferenceConfig",
    "PreferenceDraws",
    "PresentTasks",
    "Prioritisation",
    "PrioritisationConfig",
    "RandomConfig",
    "RandomWeights",
    "RevisedUncertainty",
    "RowBalancer",
    "RowWeights",
    "STCHConfig",
    "Scheduled",
    "ScheduledConfig",
    "SeenGradients",
    "SeenRows",
    "Static",
    "StaticConfig",
    "SumConfig",
    "UPGrad",
    "UPGradConfig",
    "UWConfig",
    "UWOConfig",
    "UWSOConfig",
    "Uncertainty",
    "UncertaintyConfig",
    "priority",
]

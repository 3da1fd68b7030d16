"""How much each task counts in one step."""

from typing import Annotated

from pydantic import Field

from paretorank.balancing.base import LossBalancer
from paretorank.balancing.config_direction import ConFIGConfig, ConFIGDirection
from paretorank.balancing.cr_mogm import CRMOGM, CRMOGMConfig
from paretorank.balancing.dwa import DWA, DWAConfig
from paretorank.balancing.equal import Equal, EqualConfig
from paretorank.balancing.excess_mtl import ExcessMTL, ExcessMTLConfig
from paretorank.balancing.famo import FAMO, FAMOConfig
from paretorank.balancing.gradient_balancer import (
    DirectionSection,
    GradientSection,
    GramianBalancer,
    JacobianBalancer,
    PeriodicSection,
    RowBalancer,
    RowWeights,
    SeenGradients,
    SeenRows,
)
from paretorank.balancing.guarded_balancer import GuardedBalancer, ScaledGramian
from paretorank.balancing.learned_scales import IMTLLConfig, LearnedScales, UWConfig
from paretorank.balancing.nash_mtl_conic import NashMTLConic, NashMTLConicConfig
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
from paretorank.balancing.torchjd_directions import (
    GradDrop,
    GradDropConfig,
    TrimmedMean,
    TrimmedMeanConfig,
)
from paretorank.balancing.torchjd_stateful import (
    PCD,
    GradVac,
    GradVacConfig,
    MoDoConfig,
    PCDConfig,
    SDMGradConfig,
    SimplexWeights,
)
from paretorank.balancing.torchjd_weightings import (
    AlignedMTLConfig,
    CAGradConfig,
    DualProjConfig,
    FairGradConfig,
    IMTLGConfig,
    KrumConfig,
    MGDAFrankWolfeConfig,
    PCGradConfig,
    PresentWeights,
)
from paretorank.balancing.uncertainty import Uncertainty, UncertaintyConfig
from paretorank.balancing.uncertainty_revised import RevisedUncertainty
from paretorank.balancing.upgrad import UPGrad, UPGradConfig

BalancerConfig = Annotated[
    EqualConfig
    | StaticConfig
    | UncertaintyConfig
    | AlignedMTLConfig
    | CAGradConfig
    | ConFIGConfig
    | ConstantConfig
    | COSMOSConfig
    | CRMOGMConfig
    | DualProjConfig
    | DWAConfig
    | ExcessMTLConfig
    | FairGradConfig
    | FAMOConfig
    | GeometricMeanConfig
    | GradDropConfig
    | GradVacConfig
    | IMTLGConfig
    | IMTLLConfig
    | KrumConfig
    | MeanConfig
    | MGDAFrankWolfeConfig
    | MoDoConfig
    | NashMTLConicConfig
    | PBIConfig
    | PCDConfig
    | PCGradConfig
    | RandomConfig
    | SDMGradConfig
    | STCHConfig
    | SumConfig
    | TrimmedMeanConfig
    | UPGradConfig
    | UWConfig,
    Field(discriminator="kind"),
]

Balancer = LossBalancer | GramianBalancer | JacobianBalancer | RowBalancer
"""By what they are shown: losses, inner products of gradients, gradients, rows."""

__all__ = [
    "CRMOGM",
    "DWA",
    "FAMO",
    "PCD",
    "AlignedMTLConfig",
    "Balancer",
    "BalancerConfig",
    "CAGradConfig",
    "COSMOSConfig",
    "CRMOGMConfig",
    "ConFIGConfig",
    "ConFIGDirection",
    "ConstantConfig",
    "DWAConfig",
    "DirectionSection",
    "DualProjConfig",
    "Equal",
    "EqualConfig",
    "ExcessMTL",
    "ExcessMTLConfig",
    "FAMOConfig",
    "FairGradConfig",
    "GeometricMeanConfig",
    "GradDrop",
    "GradDropConfig",
    "GradVac",
    "GradVacConfig",
    "GradientSection",
    "GramianBalancer",
    "GuardedBalancer",
    "IMTLGConfig",
    "IMTLLConfig",
    "JacobianBalancer",
    "KrumConfig",
    "LearnedScales",
    "LossBalancer",
    "MGDAFrankWolfeConfig",
    "MeanConfig",
    "MoDoConfig",
    "NashMTLConic",
    "NashMTLConicConfig",
    "PBIConfig",
    "PCDConfig",
    "PCGradConfig",
    "PeriodicSection",
    "PresentTasks",
    "PresentWeights",
    "RandomConfig",
    "RandomWeights",
    "RevisedUncertainty",
    "RowBalancer",
    "RowWeights",
    "SDMGradConfig",
    "STCHConfig",
    "ScaledGramian",
    "SeenGradients",
    "SeenRows",
    "SimplexWeights",
    "Static",
    "StaticConfig",
    "SumConfig",
    "TrimmedMean",
    "TrimmedMeanConfig",
    "UPGrad",
    "UPGradConfig",
    "UWConfig",
    "Uncertainty",
    "UncertaintyConfig",
]

"""How much each task counts in one step."""

from typing import Annotated

from pydantic import Field

from paretorank.balancing.base import BalancedTasks, LossBalancer
from paretorank.balancing.config_direction import ConFIGConfig, ConFIGDirection
from paretorank.balancing.constrained import Constrained, ConstrainedConfig
from paretorank.balancing.cr_mogm import CRMOGM, CRMOGMConfig
from paretorank.balancing.db_mtl import DBMTL, DBMTLConfig
from paretorank.balancing.dwa import DWA, DWAConfig
from paretorank.balancing.epo import EPO, EPOConfig
from paretorank.balancing.equal import Equal, EqualConfig
from paretorank.balancing.excess_mtl import ExcessMTL, ExcessMTLConfig
from paretorank.balancing.famo import FAMO, FAMOConfig
from paretorank.balancing.gradcraft import GradCraft, GradCraftConfig
from paretorank.balancing.gradient_balancer import (
    DirectionSection,
    GradientSection,
    GramianBalancer,
    JacobianBalancer,
    PeriodicSection,
    RowBalancer,
    RowSection,
    RowWeights,
    SeenGradients,
    SeenRows,
)
from paretorank.balancing.gradnorm import GradNorm, GradNormConfig
from paretorank.balancing.guarded_balancer import GuardedBalancer, ScaledGramian
from paretorank.balancing.learned_scales import IMTLLConfig, LearnedScales, UWConfig
from paretorank.balancing.metabalance import MetaBalance, MetaBalanceConfig
from paretorank.balancing.mgda import MGDA, MGDAConfig
from paretorank.balancing.nash import Nash, NashConfig
from paretorank.balancing.nash_mtl_conic import NashMTLConic, NashMTLConicConfig
from paretorank.balancing.paperec import PAPERec, PAPERecConfig
from paretorank.balancing.pe_ltr import PELTR, PELTRConfig
from paretorank.balancing.preference import PreferenceConfig, PreferenceDraws
from paretorank.balancing.prioritisation import Prioritisation, PrioritisationConfig, priority
from paretorank.balancing.random_weights import RandomConfig, RandomWeights
from paretorank.balancing.row_segments import (
    RowSegments,
    find_segments,
    refuse_unknown_segment,
)
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
from paretorank.balancing.uw_o import UWO, UWOConfig
from paretorank.balancing.uw_so import UWSO, UWSOConfig

BalancerConfig = Annotated[
    EqualConfig
    | StaticConfig
    | ScheduledConfig
    | UncertaintyConfig
    | AlignedMTLConfig
    | CAGradConfig
    | ConFIGConfig
    | UWOConfig
    | UWSOConfig
    | PrioritisationConfig
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
    | GradNormConfig
    | IMTLLConfig
    | KrumConfig
    | MeanConfig
    | MGDAFrankWolfeConfig
    | MoDoConfig
    | NashMTLConicConfig
    | PAPERecConfig
    | PBIConfig
    | PCDConfig
    | PCGradConfig
    | RandomConfig
    | SDMGradConfig
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
    | TrimmedMeanConfig
    | PreferenceConfig
    | UPGradConfig
    | UWConfig,
    Field(discriminator="kind"),
]

Balancer = LossBalancer | GramianBalancer | JacobianBalancer | RowBalancer
"""By what they are shown: losses, inner products of gradients, gradients, rows."""

__all__ = [
    "CRMOGM",
    "DBMTL",
    "DWA",
    "EPO",
    "FAMO",
    "MGDA",
    "PCD",
    "PELTR",
    "UWO",
    "UWSO",
    "AlignedMTLConfig",
    "BalancedTasks",
    "Balancer",
    "BalancerConfig",
    "CAGradConfig",
    "COSMOSConfig",
    "CRMOGMConfig",
    "ConFIGConfig",
    "ConFIGDirection",
    "ConstantConfig",
    "Constrained",
    "ConstrainedConfig",
    "DBMTLConfig",
    "DWAConfig",
    "DirectionSection",
    "DualProjConfig",
    "EPOConfig",
    "Equal",
    "EqualConfig",
    "ExcessMTL",
    "ExcessMTLConfig",
    "FAMOConfig",
    "FairGradConfig",
    "GeometricMeanConfig",
    "GradCraft",
    "GradCraftConfig",
    "GradDrop",
    "GradDropConfig",
    "GradNorm",
    "GradNormConfig",
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
    "MGDAConfig",
    "MGDAFrankWolfeConfig",
    "MeanConfig",
    "MetaBalance",
    "MetaBalanceConfig",
    "MoDoConfig",
    "Nash",
    "NashConfig",
    "NashMTLConic",
    "NashMTLConicConfig",
    "PAPERec",
    "PAPERecConfig",
    "PBIConfig",
    "PCDConfig",
    "PCGradConfig",
    "PELTRConfig",
    "PeriodicSection",
    "PreferenceConfig",
    "PreferenceDraws",
    "PresentTasks",
    "PresentWeights",
    "Prioritisation",
    "PrioritisationConfig",
    "RandomConfig",
    "RandomWeights",
    "RevisedUncertainty",
    "RowBalancer",
    "RowSection",
    "RowSegments",
    "RowWeights",
    "SDMGradConfig",
    "STCHConfig",
    "ScaledGramian",
    "Scheduled",
    "ScheduledConfig",
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
    "UWOConfig",
    "UWSOConfig",
    "Uncertainty",
    "UncertaintyConfig",
    "find_segments",
    "priority",
    "refuse_unknown_segment",
]

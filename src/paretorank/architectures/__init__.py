"""How tasks share: from the input of a row to one representation per task."""

from typing import Annotated

from pydantic import Field

from paretorank.architectures.adatt import AdaTT, AdaTTConfig
from paretorank.architectures.attention_mmoe import AttentionMMoE, AttentionMMoEConfig
from paretorank.architectures.base import (
    Architecture,
    ArchitectureSection,
    Needs,
    Represented,
)
from paretorank.architectures.cgc import CGC, CGCConfig
from paretorank.architectures.cross_stitch import CrossStitch, CrossStitchConfig
from paretorank.architectures.dselect_k import DSelectK, DSelectKConfig
from paretorank.architectures.gate_health import (
    GateHealth,
    Remedies,
    gate_health,
    gate_warnings,
)
from paretorank.architectures.home import HoME, HoMEConfig
from paretorank.architectures.mmoe import MMoE, MMoEConfig
from paretorank.architectures.omoe import OMoE, OMoEConfig
from paretorank.architectures.pepnet import PEPNet, PEPNetConfig
from paretorank.architectures.ple import PLE, PLEConfig
from paretorank.architectures.shared_bottom import SharedBottom, SharedBottomConfig
from paretorank.architectures.stem import STEM, STEMConfig

ArchitectureConfig = Annotated[
    SharedBottomConfig
    | CrossStitchConfig
    | OMoEConfig
    | MMoEConfig
    | AttentionMMoEConfig
    | DSelectKConfig
    | CGCConfig
    | PLEConfig
    | AdaTTConfig
    | HoMEConfig
    | STEMConfig
    | PEPNetConfig,
    Field(discriminator="kind"),
]

__all__ = [
    "CGC",
    "PLE",
    "STEM",
    "AdaTT",
    "AdaTTConfig",
    "Architecture",
    "ArchitectureConfig",
    "ArchitectureSection",
    "AttentionMMoE",
    "AttentionMMoEConfig",
    "CGCConfig",
    "CrossStitch",
    "CrossStitchConfig",
    "DSelectK",
    "DSelectKConfig",
    "GateHealth",
    "HoME",
    "HoMEConfig",
    "MMoE",
    "MMoEConfig",
    "Needs",
    "OMoE",
    "OMoEConfig",
    "PEPNet",
    "PEPNetConfig",
    "PLEConfig",
    "Remedies",
    "Represented",
    "STEMConfig",
    "SharedBottom",
    "SharedBottomConfig",
    "gate_health",
    "gate_warnings",
]

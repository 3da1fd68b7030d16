"""How tasks share: from the input of a row to one representation per task."""

from typing import Annotated

from pydantic import Field

from paretorank.architectures.attention_mmoe import AttentionMMoE, AttentionMMoEConfig
from paretorank.architectures.base import Architecture, ArchitectureSection, Needs
from paretorank.architectures.mmoe import MMoE, MMoEConfig
from paretorank.architectures.omoe import OMoE, OMoEConfig
from paretorank.architectures.pepnet import PEPNet, PEPNetConfig
from paretorank.architectures.shared_bottom import SharedBottom, SharedBottomConfig
from paretorank.architectures.stem import STEM, STEMConfig

ArchitectureConfig = Annotated[
    SharedBottomConfig | OMoEConfig | MMoEConfig | AttentionMMoEConfig | STEMConfig | PEPNetConfig,
    Field(discriminator="kind"),
]

__all__ = [
    "STEM",
    "Architecture",
    "ArchitectureConfig",
    "ArchitectureSection",
    "AttentionMMoE",
    "AttentionMMoEConfig",
    "MMoE",
    "MMoEConfig",
    "Needs",
    "OMoE",
    "OMoEConfig",
    "PEPNet",
    "PEPNetConfig",
    "STEMConfig",
    "SharedBottom",
    "SharedBottomConfig",
]

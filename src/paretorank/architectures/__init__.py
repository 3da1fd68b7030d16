"""How tasks share: from the input of a row to one representation per task."""

from typing import Annotated

from pydantic import Field

from paretorank.architectures.attention_mmoe import AttentionMMoE, AttentionMMoEConfig
from paretorank.architectures.base import Architecture
from paretorank.architectures.cgc import CGC, CGCConfig
from paretorank.architectures.gate_health import (
    GateHealth,
    Remedies,
    gate_health,
    gate_warnings,
)
from paretorank.architectures.mmoe import MMoE, MMoEConfig
from paretorank.architectures.omoe import OMoE, OMoEConfig
from paretorank.architectures.ple import PLE, PLEConfig
from paretorank.architectures.shared_bottom import SharedBottom, SharedBottomConfig

ArchitectureConfig = Annotated[
    SharedBottomConfig | OMoEConfig | MMoEConfig | AttentionMMoEConfig | CGCConfig | PLEConfig,
    Field(discriminator="kind"),
]

__all__ = [
    "CGC",
    "PLE",
    "Architecture",
    "ArchitectureConfig",
    "AttentionMMoE",
    "AttentionMMoEConfig",
    "CGCConfig",
    "GateHealth",
    "MMoE",
    "MMoEConfig",
    "OMoE",
    "OMoEConfig",
    "PLEConfig",
    "Remedies",
    "SharedBottom",
    "SharedBottomConfig",
    "gate_health",
    "gate_warnings",
]

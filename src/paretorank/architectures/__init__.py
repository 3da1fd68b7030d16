"""How tasks share: from the input of a row to one representation per task."""

from typing import Annotated

from pydantic import Field

from paretorank.architectures.attention_mmoe import AttentionMMoE, AttentionMMoEConfig
from paretorank.architectures.base import Architecture
from paretorank.architectures.mmoe import MMoE, MMoEConfig
from paretorank.architectures.omoe import OMoE, OMoEConfig
from paretorank.architectures.shared_bottom import SharedBottom, SharedBottomConfig

ArchitectureConfig = Annotated[
    SharedBottomConfig | OMoEConfig | MMoEConfig | AttentionMMoEConfig,
    Field(discriminator="kind"),
]

__all__ = [
    "Architecture",
    "ArchitectureConfig",
    "AttentionMMoE",
    "AttentionMMoEConfig",
    "MMoE",
    "MMoEConfig",
    "OMoE",
    "OMoEConfig",
    "SharedBottom",
    "SharedBottomConfig",
]

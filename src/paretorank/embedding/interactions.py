"""The union of all interactions."""

from typing import Annotated

from pydantic import Field

from paretorank.embedding.cross import DCNv2Config
from paretorank.embedding.fm import FMConfig
from paretorank.embedding.gated_cross import GatedConfig
from paretorank.embedding.no_interaction import NoInteractionConfig

InteractionConfig = Annotated[
    NoInteractionConfig | FMConfig | DCNv2Config | GatedConfig,
    Field(discriminator="kind"),
]

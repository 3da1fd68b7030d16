"""What the model is made of."""

from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt

from paretorank.architectures import ArchitectureConfig, MMoEConfig
from paretorank.embedding import InteractionConfig, NoInteractionConfig
from paretorank.foundation.section import Section
from paretorank.model.preference_concat import ConcatPreferenceConfig
from paretorank.model.preference_film import FiLMPreferenceConfig
from paretorank.model.preference_hypernetwork import HypernetworkPreferenceConfig
from paretorank.relations import RelationConfig, UnrelatedConfig

PreferenceInputConfig = Annotated[
    FiLMPreferenceConfig | ConcatPreferenceConfig | HypernetworkPreferenceConfig,
    Field(discriminator="kind"),
]


class ModelConfig(Section):
    """Embeddings, architecture, towers and the wide part."""

    architecture: ArchitectureConfig = MMoEConfig()
    """How the tasks share."""
    relations: RelationConfig = UnrelatedConfig()
    """How the tasks depend on each other along `parent`."""
    embedding_dim: PositiveInt = 16
    """Width of an embedding whose feature does not say otherwise."""
    embedding_init_std: PositiveFloat = 0.01
    """Spread of the embeddings at the start."""
    interaction: InteractionConfig = NoInteractionConfig()
    """How the inputs of a row meet before the tasks share them; whole rows are needed for that, so
    that shuffling by request saves less."""
    tower_dims: tuple[PositiveInt, ...] = (64,)
    """Hidden widths of each task's tower; empty for a linear head."""
    tower_dropout_rate: float = Field(default=0.0, ge=0, lt=1)
    """Share of tower units that are dropped in training."""
    position: str | None = None
    """Feature that says where a row was shown: it adds a number of its own to every logit in
    training, and is unknown to the rest of the model and to scores."""
    preference: PreferenceInputConfig | None = None
    """Where the model reads how much each task is to count, so that one model serves every
    trade-off; trained with balancer.kind = "preference"."""
    wide: bool = True
    """Add a linear model per task over all codes and numbers."""

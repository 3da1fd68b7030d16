"""What the model is made of."""

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from paretorank.architectures import ArchitectureConfig, MMoEConfig
from paretorank.embedding import InteractionConfig, NoInteractionConfig
from paretorank.foundation.section import Section


class ModelConfig(Section):
    """Embeddings, architecture, towers and the wide part."""

    architecture: ArchitectureConfig = MMoEConfig()
    """How the tasks share."""
    embedding_dim: PositiveInt = 16
    """Width of an embedding whose feature does not say otherwise."""
    embedding_init_std: PositiveFloat = 0.01
    """Spread of the embeddings at the start."""
    interaction: InteractionConfig = NoInteractionConfig()
    """How the inputs of a row meet before the tasks share them; whole rows are needed for that, so
    that shuffling by request saves less."""
    tower_dims: tuple[PositiveInt, ...] = (64,)
    """Hidden widths of each task's tower; empty for a linear head."""
    tower_dropout_rate: NonNegativeFloat = 0.0
    """Share of tower units that are dropped in training."""
    wide: bool = True
    """Add a linear model per task over all codes and numbers."""

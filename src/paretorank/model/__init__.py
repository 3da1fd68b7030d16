"""The whole network, and how it is built."""

from paretorank.model.build import build_model, start_at_base_rates
from paretorank.model.position_bias import PositionBias, refuse_unknown_position
from paretorank.model.preference import preference_vector
from paretorank.model.ranker import MultiTaskRanker
from paretorank.model.scoring import score_batches
from paretorank.model.settings import ModelConfig
from paretorank.model.suitability import refuse_unfit, refuse_unpaired_preference

__all__ = [
    "ModelConfig",
    "MultiTaskRanker",
    "PositionBias",
    "build_model",
    "preference_vector",
    "refuse_unfit",
    "refuse_unknown_position",
    "refuse_unpaired_preference",
    "score_batches",
    "start_at_base_rates",
]

"""Several scores of a row -> the fused score that sorts its request.

The module for PyTorch stands in `paretorank.fusion.module`, so that the rest does not load torch.
"""

from paretorank.fusion.arrays import fused_score
from paretorank.fusion.formula import Formula, WeightRange, parse_formula
from paretorank.fusion.presets import (
    click_gated_sum,
    rank_ensemble,
    shifted_product,
    weighted_product,
    weighted_sum,
)
from paretorank.fusion.scorer import FusionScorer

__all__ = [
    "Formula",
    "FusionScorer",
    "WeightRange",
    "click_gated_sum",
    "fused_score",
    "parse_formula",
    "rank_ensemble",
    "shifted_product",
    "weighted_product",
    "weighted_sum",
]

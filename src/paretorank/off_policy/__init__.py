"""The value of another ranking, from a log of the one that was shown."""

from paretorank.off_policy.by_position import estimate_by_position, estimate_examination
from paretorank.off_policy.estimate import Estimator, estimate_value
from paretorank.off_policy.log import LoggedChoices
from paretorank.off_policy.policies import positions_by_score, softmax_chances, top_one_chances
from paretorank.off_policy.result import Overlap, Refusal, ValueEstimate, overlap_of

__all__ = [
    "Estimator",
    "LoggedChoices",
    "Overlap",
    "Refusal",
    "ValueEstimate",
    "estimate_by_position",
    "estimate_examination",
    "estimate_value",
    "overlap_of",
    "positions_by_score",
    "softmax_chances",
    "top_one_chances",
]

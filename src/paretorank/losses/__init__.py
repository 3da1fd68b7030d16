"""One loss per file; each is computed per row, then masked and averaged in `masking`."""

from paretorank.losses.base import Loss
from paretorank.losses.binary import BinaryCrossEntropy
from paretorank.losses.cread import Cread
from paretorank.losses.d2q import D2Q
from paretorank.losses.delayed import DelayedFeedback
from paretorank.losses.huber import Huber
from paretorank.losses.jrc import JointRankingCalibration
from paretorank.losses.listwise import Listwise
from paretorank.losses.lognormal import LogNormal
from paretorank.losses.lognormal_heteroscedastic import HeteroscedasticLogNormal
from paretorank.losses.masking import fill_unobserved, reduce_losses
from paretorank.losses.negative_binomial import NegativeBinomial
from paretorank.losses.ordinal import Ordinal
from paretorank.losses.pairwise import Pairwise
from paretorank.losses.poisson import Poisson
from paretorank.losses.quantile import Quantile
from paretorank.losses.requests import Requests
from paretorank.losses.squared import SquaredError
from paretorank.losses.tpm import ProgressiveTree
from paretorank.losses.tweedie import Tweedie
from paretorank.losses.weighted_logistic import WeightedLogistic
from paretorank.losses.zero_inflated_lognormal import ZeroInflatedLogNormal

__all__ = [
    "D2Q",
    "BinaryCrossEntropy",
    "Cread",
    "DelayedFeedback",
    "HeteroscedasticLogNormal",
    "Huber",
    "JointRankingCalibration",
    "Listwise",
    "LogNormal",
    "Loss",
    "NegativeBinomial",
    "Ordinal",
    "Pairwise",
    "Poisson",
    "ProgressiveTree",
    "Quantile",
    "Requests",
    "SquaredError",
    "Tweedie",
    "WeightedLogistic",
    "ZeroInflatedLogNormal",
    "fill_unobserved",
    "reduce_losses",
]

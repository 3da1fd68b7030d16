"""One loss per file; each is computed per row, then masked and averaged in `masking`."""

from paretorank.losses.base import Loss
from paretorank.losses.binary import BinaryCrossEntropy
from paretorank.losses.huber import Huber
from paretorank.losses.lognormal import LogNormal
from paretorank.losses.masking import fill_unobserved, reduce_losses
from paretorank.losses.poisson import Poisson
from paretorank.losses.squared import SquaredError
from paretorank.losses.weighted_logistic import WeightedLogistic

__all__ = [
    "BinaryCrossEntropy",
    "Huber",
    "LogNormal",
    "Loss",
    "Poisson",
    "SquaredError",
    "WeightedLogistic",
    "fill_unobserved",
    "reduce_losses",
]

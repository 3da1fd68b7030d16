"""A lower bound that leaves large values alone and never stops the gradient."""

import math

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

SMALLEST_MARGIN = 0.05  # how near the bound an inverse may start


def soft_lower_bound(value: Float[Tensor, ""], bound: float) -> Float[Tensor, ""]:
    """Return `value` itself from `bound` + 1 on, and something above `bound` below that.

    The bend is exponential: value and slope are continuous, the slope is positive everywhere.
    """
    knee = bound + 1.0
    return knee + F.elu(value - knee)


def before_soft_lower_bound(value: float, bound: float) -> float:
    """Return what `soft_lower_bound` maps to `value`; values at or below the bound are raised."""
    knee = bound + 1.0
    return value if value >= knee else knee + math.log(max(value - bound, SMALLEST_MARGIN))

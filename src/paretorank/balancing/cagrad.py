"""CAGrad's weights without a conic solver.

Source: Liu et al., Conflict-Averse Gradient Descent for Multi-task Learning, NeurIPS 2021,
    equation 3 and algorithm 1: minimize g_w . g_0 + sqrt(phi) |g_w| over the simplex, where g_0 is
    the mean of the gradients, g_w their mix and sqrt(phi) = c |g_0|; descend
    g_0 + sqrt(phi) g_w / |g_w|.
We deviate: no solver of conic programs. Where m = sqrt(phi) / |g_w| is held, the optimality
conditions are those of the shortest g_0 + m g_w, a mix in which every task keeps a share of at
least 1 / (1 + m) / T. That is the problem of PE-LTR, which is solved exactly, and m |g_w| grows
with m, so m is the root of one equation.
Shapes: T tasks.
"""

import torch
from jaxtyping import Float, Float64
from scipy.optimize import brentq
from torch import Tensor
from torchjd.aggregation import Weighting
from typing_extensions import override

from paretorank.balancing.bounded_min_norm import bounded_min_norm_weights

LARGEST = 1e6  # multiplier beyond which the mix is as good as zero
PRECISION = 1e-13  # relative, of the root


class ExactCAGrad(Weighting):  # type: ignore[misc] # TorchJD's own type, to the checker Any
    """Helps the worst task most, within a ball around the mean gradient."""

    def __init__(self, c: float) -> None:
        super().__init__()
        self.c = c

    @override
    def forward(self, gramian: Tensor, /) -> Tensor:
        return cagrad_weights(gramian, self.c).to(gramian)


def cagrad_weights(gramian: Float[Tensor, "T T"], c: float) -> Float64[Tensor, " T"]:
    """Return the weights of the gradients in CAGrad's direction.

    All are 0 where no direction within the ball helps all tasks.

    Args:
        gramian: inner products of the gradients.
        c: the radius of the ball, in lengths of the mean gradient.
    """
    products = gramian.detach().double()
    mean = products.new_full((len(products),), 1.0 / len(products))
    radius = c * _length(products, mean)

    def added(multiplier: float) -> Float64[Tensor, " T"]:
        share = 1.0 / (1.0 + multiplier)
        mixed = bounded_min_norm_weights(products, mean * share)
        return ((mixed - mean * share) / share).clamp(min=0.0)

    def excess(multiplier: float) -> float:
        return _length(products, added(multiplier)) - radius

    if radius == 0.0:
        return mean
    if excess(LARGEST) <= 0.0:
        return torch.zeros_like(mean)
    multiplier = brentq(excess, 0.0, LARGEST, xtol=PRECISION, rtol=PRECISION)
    return mean + added(float(multiplier))


def _length(products: Float64[Tensor, "T T"], weights: Float64[Tensor, " T"]) -> float:
    return float((weights @ products @ weights).clamp(min=0.0).sqrt())

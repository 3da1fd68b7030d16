"""Exponentials that stay finite whatever a network says."""

from jaxtyping import Float
from torch import Tensor

LARGEST_EXPONENT = 20.0  # e^20 seconds are 15 years, e^20 events are 485 million


def bounded_exp(
    exponent: Float[Tensor, "*shape"], largest: float = LARGEST_EXPONENT
) -> Float[Tensor, "*shape"]:
    """Return the exponential, continued by its tangent above `largest`.

    It stays convex and increasing, and its gradient neither vanishes nor overflows.
    """
    bounded = exponent.clamp(max=largest)
    return bounded.exp() * (1 + exponent - bounded)

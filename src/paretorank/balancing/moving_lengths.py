"""Moving means of gradients' lengths, and factors that bring the gradients nearer to one of them.

Shapes: P tasks, in a last axis; tensors of parameters before it, if any.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def move(
    means: Float[Tensor, "*tensors P"], lengths: Float[Tensor, "*tensors P"], *, keep: float
) -> Float[Tensor, "*tensors P"]:
    """Return the means after one more step; a mean that is NaN starts at the length."""
    return torch.where(means.isnan(), lengths, keep * means + (1 - keep) * lengths)


def relaxed_factors(
    means: Float[Tensor, "*tensors P"], wanted: Float[Tensor, "*tensors 1"], *, relax: float
) -> Float[Tensor, "*tensors P"]:
    """Return relax * wanted / mean + 1 - relax; 1 where there is nothing to bring nearer.

    Args:
        means: of the lengths of the gradients.
        wanted: the length to bring them to; NaN if it is not known yet.
        relax: 0 leaves gradients alone, 1 makes them as long as wanted on average.
    """
    usable = (means > 0) & (wanted > 0)
    ratio = torch.where(usable, wanted, 1.0) / torch.where(usable, means, 1.0)
    return torch.where(usable, relax * ratio + (1 - relax), 1.0)

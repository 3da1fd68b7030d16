"""Quantiles of weighted labels.

Shapes: N rows, T tasks, Q levels.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def weighted_quantiles(
    label: Float[Tensor, " N"], weight: Float[Tensor, " N"], levels: Sequence[float]
) -> Float[Tensor, " Q"]:
    """Return the smallest labels up to which at least these shares of the weight lie.

    Rows of weight 0 do not count; without any other, every quantile is 0.
    """
    counted = weight > 0
    if not bool(counted.any()):
        return label.new_zeros(len(levels))
    ordered, order = label[counted].sort()
    mass = weight[counted].double()[order].cumsum(0)
    wanted = torch.tensor(levels, dtype=torch.float64, device=label.device) * mass[-1]
    # A share such as 3/10 of the sum of ten ones is 3.0000000000000004 at times.
    at = torch.searchsorted(mass, wanted * (1 - 1e-12))
    return ordered[at.clamp(max=len(ordered) - 1)]

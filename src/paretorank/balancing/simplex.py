"""The nearest point whose entries are not negative and have a given sum.

Source: Held, Wolfe, Crowder, Validation of subgradient optimization, Mathematical Programming 6,
    1974: subtract the one number that makes the positive rest sum up.
Shapes: T tasks.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def project_onto_simplex(
    values: Float[Tensor, "*batch T"], total: float = 1.0
) -> Float[Tensor, "*batch T"]:
    """Return the nearest point with entries >= 0 that sum to `total`.

    Raises:
        ValueError: `total` is negative.
    """
    if total < 0:
        raise ValueError(f"`total` must be at least 0, got {total:.6g}.")
    largest_first = values.sort(dim=-1, descending=True).values
    counts = torch.arange(1, values.shape[-1] + 1, device=values.device)
    thresholds = (largest_first.cumsum(dim=-1) - total) / counts
    n_kept = (largest_first >= thresholds).sum(dim=-1, keepdim=True)
    return (values - thresholds.gather(-1, n_kept - 1)).clamp(min=0.0)

"""Means and variances of inputs that change while a model learns.

Shapes: B rows, S columns.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

SLOWEST_RATE = 0.01  # the moments forget what is some hundred steps ago
LARGEST_SEEN = 1e6  # longer values count like it, so that squares stay finite
LARGEST = 10.0  # standard deviations; what is farther away is brought here
SMALLEST_VARIANCE = 1e-8  # of a column that does not vary


class RunningMoments(nn.Module):
    """Subtracts the running mean of each column and divides by its standard deviation."""

    mean: Tensor
    variance: Tensor
    n_updates: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("variance", torch.ones(width))
        self.register_buffer("n_updates", torch.tensor(0))

    @torch.no_grad()
    def update_(self, rows: Float[Tensor, "B S"]) -> None:
        """Take the rows of a step into the moments; those that are not finite are left out."""
        rows = rows[rows.isfinite().all(dim=1)].to(self.mean).clamp(-LARGEST_SEEN, LARGEST_SEEN)
        if not len(rows):
            return
        self.n_updates += 1
        rate = max(1 / int(self.n_updates), SLOWEST_RATE)
        mean, variance = rows.mean(dim=0), rows.var(dim=0, correction=0)
        between = rate * (mean - self.mean).square()
        self.variance.copy_((1 - rate) * (self.variance + between) + rate * variance)
        self.mean.lerp_(mean, rate)

    def forward(self, rows: Float[Tensor, "B S"]) -> Float[Tensor, "B S"]:
        """Return the columns in standard deviations from their means; 0 where not a number."""
        known = rows.to(self.mean).nan_to_num(nan=torch.nan, posinf=torch.nan, neginf=torch.nan)
        deviation = (self.variance + SMALLEST_VARIANCE).sqrt()
        return ((known - self.mean) / deviation).clamp(-LARGEST, LARGEST).nan_to_num(nan=0.0)

"""What PAPERec rewards: a short weighted sum of a row's gradients.

Source: Xie et al., Personalized Approximate Pareto-Efficient Recommendation, WWW 2021 (the norm).
Our construction: what gradients are divided by, and that no row may count without limit. Divided
by its own length, every gradient has length 1, and of two such the shortest mix is always the mean:
with two tasks a policy could only learn equal weights. Divided by the root mean square of its task,
units and scales of losses cancel, and rows still differ.
Shapes: B rows, T tasks.
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

GradientUnit = Literal["task", "row", "raw"]
SLOWEST_RATE = 0.01  # of the running means; they forget what is some hundred steps ago
LARGEST_SQUARE = 100.0  # of a gradient ten times as long as usual; longer ones count like it
LARGEST_SEEN = 1e12  # of squares in the running means, which stay finite in single precision


def squared_norm(
    gramians: Float[Tensor, "B T T"], weights: Float[Tensor, "B T"]
) -> Float[Tensor, " B"]:
    """Return the squared length of each row's weighted sum of gradients."""
    return torch.einsum("bi,bij,bj->b", weights, gramians, weights)


class GradientScales(nn.Module):
    """Running mean squares of the tasks' gradients; a task that is not observed stands still."""

    mean_squares: Tensor
    n_updates: Tensor

    def __init__(self, n_tasks: int, unit: GradientUnit) -> None:
        super().__init__()
        self.unit = unit
        self.register_buffer("mean_squares", torch.zeros(n_tasks))
        self.register_buffer("n_updates", torch.zeros(n_tasks, dtype=torch.int64))

    @torch.no_grad()
    def update_(self, gramians: Float[Tensor, "B T T"], observed: Bool[Tensor, "B T"]) -> None:
        """Take the rows of a step into the means."""
        squares = gramians.diagonal(dim1=1, dim2=2).to(self.mean_squares)
        seen = observed & squares.isfinite() & (squares > 0)
        total = torch.where(seen, squares.clamp(max=LARGEST_SEEN), 0.0).sum(dim=0)
        count = seen.sum(dim=0)
        self.n_updates += count > 0
        rate = (1 / self.n_updates.clamp(min=1)).clamp(min=SLOWEST_RATE).to(total)
        moved = torch.lerp(self.mean_squares, total / count.clamp(min=1), rate)
        self.mean_squares.copy_(torch.where(count > 0, moved, self.mean_squares))

    def forward(
        self, gramians: Float[Tensor, "B T T"], observed: Bool[Tensor, "B T"]
    ) -> tuple[Float[Tensor, "B T T"], Bool[Tensor, " B"]]:
        """Return the inner products in the unit of their tasks, and which rows can teach anything.

        Those have two observed tasks or more, and inner products that are finite and not all 0.
        """
        finite = gramians.isfinite().all(dim=2).all(dim=1)
        several = observed.sum(dim=1) > 1
        known = torch.where(finite[:, None, None], gramians, 0.0).to(self.mean_squares)
        lengths = self._lengths(known)
        scaled = known / lengths.unsqueeze(2) / lengths.unsqueeze(1)
        squares = scaled.diagonal(dim1=1, dim2=2).amax(dim=1)
        factor = LARGEST_SQUARE / squares.clamp(min=LARGEST_SQUARE)
        return scaled * factor[:, None, None], finite & several & (squares > 0)

    def _lengths(self, gramians: Float[Tensor, "B T T"]) -> Float[Tensor, "#B T"]:
        match self.unit:
            case "row":
                squares = gramians.diagonal(dim1=1, dim2=2)
            case "task":
                squares = self.mean_squares.unsqueeze(0)
            case "raw":
                seen = self.mean_squares[self.mean_squares > 0]
                overall = seen.mean() if len(seen) else self.mean_squares.new_ones(())
                squares = overall.expand(1, len(self.mean_squares))
        return torch.where(squares > 0, squares, 1.0).sqrt()

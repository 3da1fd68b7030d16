"""The mean of the first losses that each task had.

Shapes: T tasks.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class FirstLosses(nn.Module):
    """Takes the losses of the first steps in which a task is present; every task has its clock."""

    total: Tensor
    count: Tensor

    def __init__(self, n_tasks: int, *, n_steps: int) -> None:
        super().__init__()
        self.n_steps = n_steps
        self.register_buffer("total", torch.zeros(n_tasks))
        self.register_buffer("count", torch.zeros(n_tasks))

    def waiting(self, present: Bool[Tensor, " T"]) -> Bool[Tensor, " T"]:
        """Return which present tasks have not had all their first steps."""
        return present & (self.count < self.n_steps)

    def record(self, values: Float[Tensor, " T"], present: Bool[Tensor, " T"]) -> None:
        """Take the losses of this step, as far as they are among a task's first ones."""
        taken = self.waiting(present)
        self.total += torch.where(taken, values, 0.0)
        self.count += taken

    def mean(self) -> Float[Tensor, " T"]:
        """Return the mean so far; NaN for a task that had no loss."""
        return self.total / self.count

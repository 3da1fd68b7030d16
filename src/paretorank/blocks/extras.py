"""What some networks read beside the input of a row.

Shapes: B rows, T tasks, D input width, P width of the prior.
"""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Extras:
    """Inputs that an architecture has asked for; None where it has not."""

    by_task: Float[Tensor, "T B D"] | None = None
    """The input of every row once more, from embedding tables that each task has of its own."""
    prior: Float[Tensor, "B P"] | None = None
    """Inputs of chosen features, such as user and item, that steer gates."""


NO_EXTRAS = Extras()

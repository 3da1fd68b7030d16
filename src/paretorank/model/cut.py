"""Where the shared part of a network ends, in one forward pass.

Shapes: B rows, T tasks, E experts, H width of a representation, D input width.
"""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Cut:
    """The tensors at which gradients of single tasks are cheap to take."""

    x: Float[Tensor, "B D"]
    """The input of the architecture."""
    h: Float[Tensor, "B T H"]
    """The representation of every task."""
    is_separable: bool
    """Whether the loss of a task depends on its own representation only."""
    experts: Float[Tensor, "B E H"] | None = None
    """What the representations are mixed from, where the architecture says so."""
    mixing: Float[Tensor, "#B T E"] | None = None

    @property
    def shared(self) -> Tensor:
        """Return the last tensor that all tasks share."""
        return self.x if self.experts is None else self.experts

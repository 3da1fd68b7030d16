"""Adam for balancers whose weights are buffers: one clock per task, so absent tasks stand still.

Source: Kingma, Ba, Adam: A Method for Stochastic Optimization, ICLR 2015, algorithm 1.
Shapes: P present tasks.
"""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

BETA1, BETA2 = 0.9, 0.999  # the paper's
GUARD = 1e-8  # the paper's; keeps the denominator above 0


@dataclass(frozen=True)
class Moments:
    """What Adam remembers of the present tasks."""

    first: Float[Tensor, " P"]
    second: Float[Tensor, " P"]
    n_updates: Float[Tensor, " P"]

    def after(self, gradient: Float[Tensor, " P"]) -> "Moments":
        """Return the moments with one more gradient in them."""
        return Moments(
            BETA1 * self.first + (1 - BETA1) * gradient,
            BETA2 * self.second + (1 - BETA2) * gradient.square(),
            self.n_updates + 1,
        )

    def direction(self) -> Float[Tensor, " P"]:
        """Return what to descend, of a length near 1; at least one gradient was taken in."""
        first = self.first / (1 - BETA1**self.n_updates)
        second = self.second / (1 - BETA2**self.n_updates)
        return first / (second.sqrt() + GUARD)

"""What every architecture is: a shared part that turns one input into a representation per task."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn


class Architecture(nn.Module, ABC):
    """Maps the input of a row to one representation per task."""

    out_dim: int
    """Width of each representation."""

    @abstractmethod
    def forward(self, x: Float[Tensor, "B D"]) -> Float[Tensor, "B T H"]:
        """Return one representation per task."""

    @abstractmethod
    def shared_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that the losses of at least two tasks reach."""

    @abstractmethod
    def gate_weights(self, x: Float[Tensor, "B D"]) -> Float[Tensor, "B T E"] | None:
        """Return how much each task uses each expert, without gradient; None without experts."""

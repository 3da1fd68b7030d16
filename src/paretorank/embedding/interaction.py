"""What every interaction is: inputs of a row that meet before the tasks share them.

Shapes: B rows, D input width, O output width.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn


@dataclass(frozen=True)
class InputField:
    """The embedding of one feature among the inputs; numbers are no fields."""

    feature: str
    dim: int


class Interaction(nn.Module, ABC):
    """Maps the input of a row to another one."""

    out_dim: int
    """Width of the output."""

    @abstractmethod
    def forward(self, x: Float[Tensor, "B D"]) -> Float[Tensor, "B O"]:
        """Return the input with what its parts have to do with each other."""

"""What every architecture is: a shared part that turns one input into a representation per task."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from paretorank.blocks import NO_EXTRAS, Extras, Rows
from paretorank.foundation.section import Section


@dataclass(frozen=True)
class Needs:
    """What an architecture reads beside the input of a row; see `Extras`."""

    own_tables: bool = False
    """Embedding tables of each task's own."""
    prior: tuple[str, ...] = ()
    """Features whose inputs are handed over as the prior."""


class ArchitectureSection(Section):
    """The base of every architecture's configuration."""

    @property
    def needs(self) -> Needs:
        """Return what the architecture reads beside the input of a row: nothing as a rule."""
        return Needs()


class Architecture(nn.Module, ABC):
    """Maps the input of a row to one representation per task."""

    out_dim: int
    """Width of each representation."""

    @abstractmethod
    def forward(self, x: Rows, extras: Extras = NO_EXTRAS) -> Float[Tensor, "B T H"]:
        """Return one representation per task.

        Args:
            x: the input of each row; parts that rows have in common may stand once per group.
            extras: what the architecture's configuration has asked for in `needs`.
        """

    @abstractmethod
    def shared_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that the losses of at least two tasks reach."""

    @abstractmethod
    def gate_weights(self, x: Rows, extras: Extras = NO_EXTRAS) -> Float[Tensor, "B T E"] | None:
        """Return how much each task uses each expert, without gradient; None without experts."""

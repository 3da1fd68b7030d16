"""What every architecture is: a shared part that turns one input into a representation per task."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from paretorank.architectures.gate_health import Remedies
from paretorank.blocks import NO_EXTRAS, Extras, Penalized, Rows
from paretorank.foundation.section import Section


@dataclass(frozen=True)
class Needs:
    """What an architecture reads beside the input of a row; see `Extras`."""

    own_tables: bool = False
    """Embedding tables of each task's own."""
    prior: tuple[str, ...] = ()
    """Features whose inputs are handed over as the prior."""


@dataclass(frozen=True)
class Represented:
    """The representations of all tasks and, where it is known, what they are mixed from."""

    h: Float[Tensor, "B T H"]
    experts: Float[Tensor, "B E H"] | None = None
    """The last representations that tasks share. All that lies below reaches the losses through
    them only, but for what weighs them."""
    mixing: Float[Tensor, "#B T E"] | None = None
    """How: `h` is `mixing @ experts`."""


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
    gate_remedies: ClassVar[Remedies] = Remedies(
        dead="set model.architecture.gates.load_balance to 0.01 or, if that is not enough, to 0.1; "
        "gates.expert_dropout_rate of 0.2 may help too; or have fewer experts",
        polarised="set model.architecture.gates.entropy to 0.1, or gates.temperature to 2.0",
    )
    """What helps against gates in bad health."""

    @abstractmethod
    def forward(self, x: Rows, extras: Extras = NO_EXTRAS) -> Float[Tensor, "B T H"]:
        """Return one representation per task.

        Args:
            x: the input of each row; parts that rows have in common may stand once per group.
            extras: what the architecture's configuration has asked for in `needs`.
        """

    def represent(self, x: Rows, extras: Extras = NO_EXTRAS) -> Represented:
        """Return what `forward` does, and where the shared part ends.

        Gradients of single tasks are cheap to take at that end. An architecture that does not
        name one has them taken at its input.
        """
        return Represented(self(x, extras))

    @abstractmethod
    def shared_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that the losses of at least two tasks reach."""

    def last_shared_layer(self) -> list[nn.Parameter]:
        """Return the weights of the layer that makes what tasks share.

        The last shared matrix, unless an architecture knows better.
        """
        shared = self.shared_parameters()
        matrices = [p for p in shared if p.dim() > 1 and p.shape[-2] > 1]  # [E, 1, H] is a bias
        return matrices[-1:] or shared

    @abstractmethod
    def gate_weights(self, x: Rows, extras: Extras = NO_EXTRAS) -> Float[Tensor, "B T E"] | None:
        """Return how much each task uses each expert, without gradient; None without experts."""

    def rate_factors(self) -> list[tuple[nn.Parameter, float]]:
        """Return parameters that are stepped faster or slower than others, with the factor.

        Weight decay leaves them alone.
        """
        return []

    def auxiliary_loss(self) -> Float[Tensor, ""] | None:
        """Return what gates add to the loss of the last forward pass in training.

        None where the configuration asks for nothing of the kind.
        """
        parts = [part.penalty for part in self.modules() if isinstance(part, Penalized)]
        penalties = [penalty for penalty in parts if penalty is not None]
        return torch.stack(penalties).sum() if penalties else None

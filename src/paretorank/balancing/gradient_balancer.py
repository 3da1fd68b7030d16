"""What every balancer is that looks at the gradients of single tasks.

Three kinds, by what they are shown: inner products of gradients (`GramianBalancer`), the gradients
themselves (`JacobianBalancer`), inner products row by row (`RowBalancer`). All are shown the
present tasks only: an absent task has no gradient, and leaves no trace in any state.
Shapes: T tasks, P present tasks, N tensors of parameters, B rows, S width of a row's state.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Int
from pydantic import PositiveInt
from torch import Tensor, nn
from typing_extensions import override

from paretorank.balancing.base import BalancerSection
from paretorank.balancing.row_segments import RowSegments

Place = Literal["representation", "last_layer", "parameters"]
"""Where gradients are taken. `representation`: at the last representations that tasks share, one
more backward pass through the towers. `last_layer`: at the parameters of the layer that makes them.
`parameters`: at all shared parameters but embedding tables, one backward pass per task."""


@dataclass(frozen=True)
class SeenGradients:
    """What a balancer may know of the gradients of the present tasks, in float64."""

    gramian: Float[Tensor, "P P"]
    """Inner products."""
    losses: Float[Tensor, " P"]
    tasks: Int[Tensor, " P"]
    """Places of the present tasks on the task axis."""
    by_tensor: Float[Tensor, "N P P"] | None = None
    """The Gramian of each tensor of parameters; they sum to `gramian`. None at representations."""


class GradientSection(BalancerSection, ABC):
    """What all configurations of balancers have that look at gradients."""

    group: ClassVar[str] = "Balancers that weigh tasks by inner products of gradients"
    at: Place = "representation"
    """Where gradients of single tasks are taken."""


class GramianBalancer(nn.Module, ABC):
    """Weighs the tasks by the inner products of their gradients."""

    uses_losses_after_step: ClassVar[bool] = False
    weighs_tensors: ClassVar[bool] = False
    """Whether `weigh` returns a weight for each tensor and task; needs `at = "parameters"`."""
    weights: Tensor
    """Of all tasks, as last computed."""
    n_steps: Tensor

    def __init__(
        self, task_names: Sequence[str], *, at: Place = "representation", every_steps: int = 1
    ) -> None:
        super().__init__()
        self.task_names = tuple(task_names)
        self.at = at
        self.every_steps = every_steps
        self.first_weight = 1 / len(self.task_names)
        """Of a task that was absent whenever weights were computed."""
        self.register_buffer("weights", torch.full((len(self.task_names),), torch.nan))
        self.register_buffer("n_steps", torch.tensor(0))

    def begin_step(self) -> bool:
        """Count a step; return whether gradients must be shown in it."""
        is_due = int(self.n_steps) % self.every_steps == 0
        self.n_steps += 1
        return is_due

    def kept_weights(self, present: Bool[Tensor, " T"]) -> Float[Tensor, " T"]:
        """Return the weights of the last time; `first_weight` for new tasks, 0 if absent."""
        return torch.where(present, self.weights.nan_to_num(nan=self.first_weight), 0.0)

    @override
    def forward(self, seen: SeenGradients) -> Float[Tensor, " T"] | Float[Tensor, "N T"]:
        """Return the weights of all tasks; 0 for absent ones."""
        weights = self.weigh(seen)
        total = weights.mean(dim=0) if self.weighs_tensors else weights
        self.weights[seen.tasks] = total.to(self.weights)
        spread = weights.new_zeros(*weights.shape[:-1], len(self.task_names))
        spread[..., seen.tasks.to(spread.device)] = weights  # solvers may answer from the CPU
        return spread.to(self.weights)

    @abstractmethod
    def weigh(self, seen: SeenGradients) -> Float[Tensor, " P"] | Float[Tensor, "N P"]:
        """Return the weights of the present tasks, of which there is at least one."""

    def after_step(self, values: Float[Tensor, " T"]) -> None:
        """Take the losses of the same rows after the optimizer's step; does nothing by default."""


class JacobianBalancer(nn.Module, ABC):
    """Makes one direction out of the gradients of the tasks."""

    uses_losses_after_step: ClassVar[bool] = False

    def __init__(self, task_names: Sequence[str], *, at: Place = "representation") -> None:
        super().__init__()
        self.task_names = tuple(task_names)
        self.at = at

    @override
    def forward(
        self, jacobian: Float[Tensor, "P N"], tasks: Int[Tensor, " P"]
    ) -> Float[Tensor, " N"]:
        """Return the gradient to descend.

        Args:
            jacobian: one gradient per present task.
            tasks: places of the present tasks on the task axis.
        """
        return self.aggregate(jacobian, tasks)

    @abstractmethod
    def aggregate(
        self, jacobian: Float[Tensor, "P N"], tasks: Int[Tensor, " P"]
    ) -> Float[Tensor, " N"]:
        """Return the gradient to descend; at least one task is present."""

    def after_step(self, values: Float[Tensor, " T"]) -> None:
        """Take the losses of the same rows after the optimizer's step; does nothing by default."""


@dataclass(frozen=True)
class SeenRows:
    """What a balancer may know of every row of a step."""

    state: Float[Tensor, "B S"]
    """The input of the row: user, item and context, without gradient."""
    gramians: Float[Tensor, "B T T"]
    """Inner products of the gradients of the tasks' losses of this row by its representation; 0
    where a task is not observed."""
    losses: Float[Tensor, "B T"]
    """0 where not observed."""
    observed: Bool[Tensor, "B T"]
    request: Int[Tensor, " B"]
    """Which rows were shown together."""


@dataclass(frozen=True)
class RowWeights:
    """How much the loss of each row counts for each task."""

    weights: Float[Tensor, "B T"]
    own_loss: Float[Tensor, ""] | None = None
    """What the balancer itself descends, if it learns."""


class RowBalancer(nn.Module, ABC):
    """Weighs the tasks row by row; gradients are taken at the representation."""

    uses_losses_after_step: ClassVar[bool] = False
    last_weights: Tensor | None = None
    """Of the rows of the last step, NaN where a task is not observed; for the log only."""
    segments: RowSegments | None = None
    """By what the log tells rows apart, if by anything."""
    last_codes: Tensor | None = None
    """Of the segments of the rows of the last step."""

    def __init__(self, task_names: Sequence[str]) -> None:
        super().__init__()
        self.task_names = tuple(task_names)

    def begin(self, state_dim: int) -> None:
        """Get ready for states of this width; does nothing by default.

        Called before the first step, and before the state is loaded or parameters are asked for.
        """

    @override
    def forward(self, rows: SeenRows) -> RowWeights:
        """Return the weights of all rows and tasks, without gradient."""
        weighed = self.weigh_rows(rows)
        self.last_weights = torch.where(rows.observed, weighed.weights.detach(), torch.nan)
        return weighed

    @abstractmethod
    def weigh_rows(self, rows: SeenRows) -> RowWeights:
        """Return the weights of all rows and tasks, without gradient."""

    def after_step(self, values: Float[Tensor, " T"]) -> None:
        """Take the losses of the same rows after the optimizer's step; does nothing by default."""


class RowSection(BalancerSection, ABC):
    """What all configurations of balancers have that weigh row by row."""

    group: ClassVar[str] = "Balancers that weigh row by row"
    segment: str | None = None
    """Categorical feature by whose values the log tells the weights of rows apart: those of the
    largest 20 values in a step, and of all others; training does not depend on it."""


class PeriodicSection(GradientSection, ABC):
    """For balancers whose weights may stand for some steps."""

    every_steps: PositiveInt = 1
    """Gradients are taken and weights computed every so many steps; they stand in between."""


class DirectionSection(GradientSection, ABC):
    """For balancers that make a direction out of the gradients."""

    group: ClassVar[str] = "Balancers that make a direction out of gradients"

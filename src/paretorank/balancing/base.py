"""What every loss balancer is: the losses of all tasks in, one number to descend out.

A NaN says that a task has no observed row in this step. Such a task adds nothing to the total, gets
a gradient of exactly zero, and leaves no trace in any state.
Shapes: T tasks.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torchjd.scalarization import Scalarizer
from typing_extensions import override

from paretorank.foundation.errors import ConfigError, TrainingError
from paretorank.foundation.section import Section
from paretorank.foundation.suggestions import did_you_mean


class LossBalancer(Scalarizer):  # type: ignore[misc]  # TorchJD is not type-checked
    """A TorchJD scalarizer for one loss per task that knows what to do with absent tasks.

    The gradient of the total by the losses are the effective task weights. Parameters, if any,
    belong into the optimizer, without weight decay; all other state is in buffers.
    """

    uses_losses_after_step: ClassVar[bool] = False
    """Whether `after_step` must be called, which costs a second forward pass."""

    def __init__(self, task_names: Sequence[str]) -> None:
        super().__init__()
        self.task_names = tuple(task_names)

    @override
    def forward(self, values: Float[Tensor, " T"], /) -> Float[Tensor, ""]:
        """Return the total of the present tasks; 0 if there is none."""
        if values.shape != (len(self.task_names),):
            raise ValueError(
                f"`values` must hold one loss for each of {len(self.task_names)} tasks, "
                f"got shape {tuple(values.shape)}."
            )
        present = ~values.detach().isnan()
        if not present.any():
            return values[present].sum()
        return self.total(values, present)

    def draw_preference(self) -> Float[Tensor, " T"] | None:
        """Return what the coming step is to prefer, for a model that reads it; None by default."""
        return None

    @abstractmethod
    def total(self, values: Float[Tensor, " T"], present: Bool[Tensor, " T"]) -> Float[Tensor, ""]:
        """Return the total; at least one task is present, absent ones are NaN in `values`."""

    def after_step(self, values: Float[Tensor, " T"]) -> None:
        """Take the losses of the same rows after the optimizer's step; does nothing by default."""

    def refuse_non_positive(self, values: Float[Tensor, " T"]) -> None:
        """Stop where a method takes logarithms of losses; absent tasks pass.

        Raises:
            TrainingError: A loss is 0 or negative, as log-likelihoods of durations may become.
        """
        bad = (values.detach() <= 0).nonzero().flatten().tolist()
        if bad:
            name, value = self.task_names[bad[0]], float(values[bad[0]])
            raise TrainingError(
                f"This balancer needs losses above 0, got {value:.6g} for task {name!r}.",
                hint='balancer.kind = "uncertainty" or "equal" takes losses of any sign.',
            )


@dataclass(frozen=True)
class BalancedTasks:
    """What is to be balanced."""

    names: tuple[str, ...]
    """In the order of the task axis."""
    balance_factors: Float[Tensor, " T"]
    """The factor c of uncertainty weighting of each task's loss."""
    generator: torch.Generator
    """Where random balancers take their seed from."""


class BalancerSection(Section, ABC):
    """What all configurations of balancers can do."""

    group: ClassVar[str] = "Balancers that look at losses"

    def build(
        self,
        *,
        task_names: Sequence[str],
        balance_factors: Float[Tensor, " T"],
        generator: torch.Generator,
    ) -> nn.Module:
        """Return the balancer for these tasks.

        Args:
            task_names: In the order of the task axis.
            balance_factors: The factor c of uncertainty weighting of each task's loss.
            generator: Where random balancers take their seed from.
        """
        return self.make(BalancedTasks(tuple(task_names), balance_factors, generator))

    @abstractmethod
    def make(self, tasks: BalancedTasks) -> nn.Module:
        """Return the balancer for these tasks."""


def by_task(
    values: Mapping[str, float], task_names: Sequence[str], *, key: str, default: float
) -> Float[Tensor, " T"]:
    """Return one number per task; tasks that are not named get `default`.

    Raises:
        ConfigError: A name is not a task.
    """
    for name in values:
        if name not in task_names:
            raise ConfigError(
                f"`balancer.{key}` must name tasks, got {name!r}.",
                hint=did_you_mean(name, task_names),
            )
    return torch.tensor([float(values.get(name, default)) for name in task_names])

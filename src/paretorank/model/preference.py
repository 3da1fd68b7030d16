"""How a model is told what to prefer: a share per task, which enters beside the features.

Where it enters differs; embedding tables and the wide part never see it. This class is a model that
cannot be told anything.
Shapes: B rows, T tasks, D input width, H width of a representation, O outputs of all tasks, R rows
of preferences: B, or one for all rows.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from pydantic import Field, NonNegativeFloat
from torch import Tensor, nn

from paretorank.blocks import Extras, Rows
from paretorank.data.batch import Batch
from paretorank.foundation.errors import ConfigError
from paretorank.foundation.section import Section
from paretorank.foundation.suggestions import did_you_mean


class Preference(nn.Module):
    """Changes nothing; subclasses change the network in one of the three places."""

    is_read: ClassVar[bool] = False
    """Whether the preference of a batch makes a difference."""
    default: Tensor

    def __init__(self, default: Float[Tensor, " T"]) -> None:
        super().__init__()
        self.register_buffer("default", default, persistent=False)

    def of(self, batch: Batch) -> Float[Tensor, "R T"]:
        """Return the preferences of the rows: one row if all have the same."""
        given = batch.preference
        if given is None or not len(given):
            return self.default.unsqueeze(0)
        return (given[:1] if given.stride(0) == 0 else given).to(self.default)

    def at_input(self, x: Rows, extras: Extras, _r: Float[Tensor, "R T"]) -> tuple[Rows, Extras]:
        """Return what the architecture reads."""
        return x, extras

    def at_representation(
        self, h: Float[Tensor, "B T H"], _r: Float[Tensor, "R T"]
    ) -> Float[Tensor, "B T H"]:
        """Return what the towers read."""
        return h

    def at_output(
        self,
        outputs: Float[Tensor, "B O"],
        _hidden: Float[Tensor, "B T H"],
        _r: Float[Tensor, "R T"],
    ) -> Float[Tensor, "B O"]:
        """Return the outputs, given those that do not know of the preference."""
        return outputs


class PreferenceSection(Section, ABC):
    """What the ways of telling a model have in common."""

    added_inputs_per_task: ClassVar[int] = 0
    """Columns beside the inputs of the architecture."""
    default: Mapping[str, NonNegativeFloat] = Field(default_factory=dict)
    """Preference where nobody gives one, such as {click = 0.7, like = 0.3}; tasks that are not
    named get 0. Even if empty."""

    @abstractmethod
    def build(
        self,
        default: Float[Tensor, " T"],
        *,
        width: int,
        hidden_width: int,
        n_outputs: Sequence[int],
        generator: torch.Generator,
    ) -> Preference:
        """Return the part of the network that reads the preference.

        Args:
            default: the preference where nobody gives one.
            width: of a task's representation.
            hidden_width: of the last hidden layer of a task.
            n_outputs: outputs of each task.
            generator: draws the parameters.
        """


def preference_vector(
    preference: Mapping[str, float], task_names: Sequence[str], *, key: str
) -> Float[Tensor, " T"]:
    """Return shares that sum to 1, in the order of the tasks; even if nothing is named.

    Raises:
        ConfigError: a name is no task, a number is negative, or all are 0; names the key.
    """
    for name, value in preference.items():
        if name not in task_names:
            raise ConfigError(
                f"{key} must name tasks, got {name!r}.", hint=did_you_mean(name, task_names)
            )
        if not (value >= 0 and math.isfinite(value)):
            raise ConfigError(
                f"{key} must be at least 0 for every task, got {value} for {name!r}.",
                hint="Shares count in proportion: click=2 and like=1 is two thirds and one third.",
            )
    listed = [preference.get(name, 0.0) if preference else 1.0 for name in task_names]
    if not sum(listed) > 0:
        raise ConfigError(
            f"{key} must be above 0 for one task at least, got {dict(preference)}.",
            hint=f"For instance {task_names[0]}=1.",
        )
    return torch.tensor([value / sum(listed) for value in listed])

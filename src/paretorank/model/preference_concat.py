"""The preference stands beside the inputs of every row.

Source: Ruchte and Grabocka, Scalable Pareto Front Approximation for Deep Multi-Objective Learning,
    ICDM 2021, section IV.A.
Every preference needs its own pass through everything that tasks share.
Shapes: B rows, T tasks, D input width, R rows of preferences: B or 1.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from paretorank.blocks import Extras, Rows, whole_rows
from paretorank.model.preference import Preference, PreferenceSection


class ConcatPreferenceConfig(PreferenceSection):
    """One more input per task."""

    kind: Literal["concat"] = "concat"
    added_inputs_per_task: ClassVar[int] = 1

    @override
    def build(
        self,
        default: Float[Tensor, " T"],
        *,
        width: int,
        hidden_width: int,
        n_outputs: Sequence[int],
        generator: torch.Generator,
    ) -> "ConcatPreference":
        return ConcatPreference(default)


class ConcatPreference(Preference):
    """Inputs, and those of each task's own tables, with the preference behind them."""

    is_read: ClassVar[bool] = True

    @override
    def at_input(
        self, x: Rows, extras: Extras, r: Float[Tensor, "R T"]
    ) -> tuple[Float[Tensor, "B inputs"], Extras]:
        whole = whole_rows(x)
        columns = r.expand(len(whole), -1)
        if extras.by_task is not None:
            by_task = torch.cat([extras.by_task, columns.expand(len(r.T), -1, -1)], dim=2)
            extras = replace(extras, by_task=by_task)
        return torch.cat([whole, columns], dim=1), extras

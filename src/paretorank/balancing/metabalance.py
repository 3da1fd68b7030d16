"""MetaBalance: gradients of auxiliary tasks are made as long as the target task's, by tensor.

Source: He et al., MetaBalance: Improving Multi-Task Recommendations via Adapting Gradient
    Magnitudes of Auxiliary Tasks, WWW 2022, algorithm 1 (lengths enlarged or reduced).
We deviate: moving means begin with the first length instead of 0, which a task that appears later
would take long to forget. Towers and embedding tables get the mean of the tensors' weights.
Shapes: T tasks, P present tasks, N tensors.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from paretorank.balancing.base import BalancedTasks, by_task
from paretorank.balancing.gradient_balancer import (
    GradientSection,
    GramianBalancer,
    SeenGradients,
)
from paretorank.balancing.moving_lengths import move, relaxed_factors


class MetaBalanceConfig(GradientSection):
    """Hyper-parameters of MetaBalance."""

    kind: Literal["metabalance"] = "metabalance"
    at: Literal["parameters"] = "parameters"
    """Lengths are compared tensor by tensor, so gradients are taken at parameters."""
    target: str | None = None
    """The task that others shall help; None is the first one."""
    relax: float = Field(default=0.7, ge=0.0, le=1.0)
    """0 leaves gradients alone, 1 makes them as long as the target's; the paper tunes it."""
    keep: float = Field(default=0.9, ge=0.0, lt=1.0)
    """Share of the moving means that a step keeps; the paper calls it beta."""

    @override
    def make(self, tasks: BalancedTasks) -> "MetaBalance":
        return MetaBalance(self, tasks.names)


class MetaBalance(GramianBalancer):
    """Weighs each tensor's gradients by how much longer the target's are there."""

    weighs_tensors: ClassVar[bool] = True
    means: Tensor
    """[N, T], NaN before the first length; no rows before the first step."""

    def __init__(self, config: MetaBalanceConfig, task_names: Sequence[str]) -> None:
        super().__init__(task_names, at=config.at)
        self.config = config
        self.target = 0
        if config.target is not None:
            by_task({config.target: 1.0}, self.task_names, key="target", default=0.0)
            self.target = self.task_names.index(config.target)
        self.register_buffer("means", torch.empty(0, len(self.task_names), dtype=torch.float64))

    @override
    def weigh(self, seen: SeenGradients) -> Float[Tensor, "N P"]:
        if seen.by_tensor is None:
            raise ValueError("`seen` must hold the Gramian of each tensor.")
        lengths = seen.by_tensor.diagonal(dim1=1, dim2=2).sqrt()
        if not len(self.means):
            self.means = lengths.new_full((len(lengths), len(self.task_names)), torch.nan)
        moved = move(self.means[:, seen.tasks], lengths, keep=self.config.keep)
        self.means[:, seen.tasks] = moved.to(self.means)
        wanted = self.means[:, [self.target]].to(moved)
        return relaxed_factors(moved, wanted, relax=self.config.relax)

    @override
    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *args: Any) -> None:
        """Make room for as many tensors as were saved."""
        saved = state_dict.get(f"{prefix}means")
        if saved is not None:
            self.means = self.means.new_empty(saved.shape)
        super()._load_from_state_dict(state_dict, prefix, *args)

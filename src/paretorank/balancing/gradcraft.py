"""GradCraft: gradients of like lengths, each moved until it conflicts with none of the others.

Source: Bai et al., GradCraft: Elevating Multi-task Recommendations through Holistic Gradient
    Crafting, KDD 2024, section 3.
All tasks that a gradient conflicts with are projected out at once, by one linear system. What did
not conflict before may do so afterwards: the promise is about the tasks in conflict. We deviate:
least squares, as the system is singular for gradients that depend on each other; moving means begin
with the first length.
Shapes: T tasks, P present tasks.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from paretorank.balancing.base import BalancedTasks
from paretorank.balancing.gradient_balancer import (
    GradientSection,
    GramianBalancer,
    SeenGradients,
)
from paretorank.balancing.moving_lengths import move, relaxed_factors
from paretorank.balancing.shortest_solution import shortest_solution

RELATIVE_CUT_OFF = 1e-12  # of singular values that are 0 but for rounding


class GradCraftConfig(GradientSection):
    """Hyper-parameters of GradCraft."""

    kind: Literal["gradcraft"] = "gradcraft"
    relax: float = Field(default=0.5, ge=0.0, le=1.0)
    """0 leaves lengths alone, 1 makes all gradients as long as the longest."""
    keep: float = Field(default=0.9, ge=0.0, lt=1.0)
    """Share of the moving means of lengths that a step keeps."""
    agreement: float = Field(default=0.01, ge=0.0, lt=1.0)
    """Cosine, as measured before, that a moved gradient gets with those it was in conflict with."""

    @override
    def make(self, tasks: BalancedTasks) -> "GradCraft":
        return GradCraft(self, tasks.names)


class GradCraft(GramianBalancer):
    """Descends the mean of gradients that were scaled and moved out of their conflicts."""

    means: Tensor
    """Of the lengths; NaN before the first."""

    def __init__(self, config: GradCraftConfig, task_names: Sequence[str]) -> None:
        super().__init__(task_names, at=config.at)
        self.config = config
        empty = torch.full((len(self.task_names),), torch.nan, dtype=torch.float64)
        self.register_buffer("means", empty)

    @override
    def weigh(self, seen: SeenGradients) -> Float[Tensor, " P"]:
        lengths = seen.gramian.diagonal().sqrt()
        moved = move(self.means[seen.tasks].to(lengths), lengths, keep=self.config.keep)
        self.means[seen.tasks] = moved.to(self.means)
        factors = relaxed_factors(moved, moved.max()[None], relax=self.config.relax)
        scaled = seen.gramian * factors * factors[:, None]
        return craft(scaled, agreement=self.config.agreement).mean(dim=0) * factors


def craft(gramian: Float[Tensor, "P P"], *, agreement: float) -> Float[Tensor, "P P"]:
    """Return, row by row, the weights of the gradients in each moved gradient."""
    n_tasks = len(gramian)
    lengths = gramian.diagonal().sqrt()
    wanted = agreement * lengths * lengths[:, None]
    weights = torch.eye(n_tasks, dtype=gramian.dtype, device=gramian.device)
    for task in range(n_tasks):
        rivals = (gramian[task] < 0).nonzero().flatten()
        if len(rivals):
            missing = (wanted[task] - gramian[task])[rivals, None]
            system = gramian[rivals][:, rivals]
            found = shortest_solution(system, missing, cut_off=RELATIVE_CUT_OFF)
            weights[task, rivals] = found.flatten().to(weights)
    return weights

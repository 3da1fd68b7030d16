"""UPGrad: each gradient is projected so that it hurts no task, and the projections are averaged.

Source: Quinton and Rey, Jacobian Descent for Multi-Objective Optimization, arXiv 2406.16232,
    2024, section 3.3; the weights are those of TorchJD's `UPGradWeighting` with an exact
    projection.
The weights sum to 1 where nothing conflicts.
Shapes: P present tasks.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field, PositiveFloat
from torch import Tensor
from torchjd.aggregation import UPGradWeighting
from typing_extensions import override

from paretorank.balancing.base import BalancedTasks, by_task
from paretorank.balancing.dual_cone import ExactProjector
from paretorank.balancing.gradient_balancer import PeriodicSection, Place
from paretorank.balancing.guarded_balancer import GuardedBalancer, ScaledGramian


class UPGradConfig(PeriodicSection):
    """Hyper-parameters of UPGrad."""

    kind: Literal["upgrad"] = "upgrad"
    preference: Mapping[str, PositiveFloat] = Field(default_factory=dict)
    """Share per task; 1 where not named, then divided by the sum over the present tasks."""

    @override
    def make(self, tasks: BalancedTasks) -> "UPGrad":
        preference = by_task(self.preference, tasks.names, key="preference", default=1.0)
        return UPGrad(tasks.names, preference=preference, at=self.at, every_steps=self.every_steps)


class UPGrad(GuardedBalancer):
    """Descends a direction that, up to noise, raises no task's loss."""

    preference: Tensor

    def __init__(
        self,
        task_names: Sequence[str],
        *,
        preference: Float[Tensor, " T"] | None = None,
        at: Place = "representation",
        every_steps: int = 1,
    ) -> None:
        super().__init__(task_names, at=at, every_steps=every_steps)
        given = torch.ones(len(self.task_names)) if preference is None else preference
        self.register_buffer("preference", given)

    @override
    def solve(self, problem: ScaledGramian) -> Float[Tensor, " P"]:
        wished = self.preference.to(problem.gramian)[problem.tasks]
        weighting = UPGradWeighting(wished / wished.sum(), projector=ExactProjector())
        weights: Tensor = weighting(problem.gramian)
        return weights

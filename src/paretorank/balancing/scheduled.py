"""Scheduled weights: static weights that grow or fade exponentially.

Source: Tang et al., Progressive Layered Extraction (PLE): A Novel Multi-Task Learning Model for
    Personalized Recommendations, RecSys 2020, the joint loss: weight_k(t) = weight_k growth_k^t.
The paper counts t in steps of training; we count it in windows of steps, so that `growth` reads as
"per window" and stays near 1. We deviate: a weight stops once it has changed by `largest_change`,
because an exponential overflows in the end, or takes a task out for good. The clock is that of
training: it also runs while a task is absent.
Shapes: T tasks.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor
from typing_extensions import override

from paretorank.balancing.base import BalancedTasks, BalancerSection, LossBalancer, by_task


class ScheduledConfig(BalancerSection):
    """The weights at the start and how they change."""

    kind: Literal["scheduled"] = "scheduled"
    weights: Mapping[str, NonNegativeFloat] = Field(default_factory=dict)
    """Weight per task at the start; a task that is not named has weight 1."""
    growth: Mapping[str, PositiveFloat] = Field(default_factory=dict)
    """Factor per window, above 1 to grow, below to fade; a task that is not named keeps its
    weight."""
    window_steps: PositiveInt = 500
    """Steps in which a weight changes by its factor once."""
    largest_change: Annotated[float, Field(ge=1.0)] = 100.0
    """A weight stops when it is this many times larger or smaller than at the start."""

    @override
    def make(self, tasks: BalancedTasks) -> "Scheduled":
        return Scheduled(
            self,
            tasks.names,
            weights=by_task(self.weights, tasks.names, key="weights", default=1.0),
            growth=by_task(self.growth, tasks.names, key="growth", default=1.0),
        )


class Scheduled(LossBalancer):
    """Adds up the losses of the present tasks with weights that depend on the step alone."""

    start: Tensor
    growth: Tensor
    n_steps: Tensor

    def __init__(
        self,
        config: ScheduledConfig,
        task_names: Sequence[str],
        *,
        weights: Float[Tensor, " T"],
        growth: Float[Tensor, " T"],
    ) -> None:
        super().__init__(task_names)
        self.config = config
        self.register_buffer("start", weights)
        self.register_buffer("growth", growth)
        self.register_buffer("n_steps", torch.tensor(0))

    @override
    def total(self, values: Float[Tensor, " T"], present: Bool[Tensor, " T"]) -> Float[Tensor, ""]:
        weights = self.weights()
        self.n_steps += 1
        return (weights[present] * values[present]).sum()

    def weights(self) -> Float[Tensor, " T"]:
        """Return the weights of all tasks in the next step."""
        windows = int(self.n_steps) / self.config.window_steps
        most = math.log(self.config.largest_change)
        return self.start * (windows * self.growth.log()).clamp(-most, most).exp()

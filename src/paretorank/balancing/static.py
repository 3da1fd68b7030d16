"""Static weights: a weighted sum of the losses.

Source: Xin et al., Do Current Multi-Task Optimization Methods in Deep Learning Even Help?,
    NeurIPS 2022, section 3: tuned, it is hard to beat.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from jaxtyping import Bool, Float
from pydantic import Field, NonNegativeFloat
from torch import Tensor
from typing_extensions import override

from paretorank.balancing.base import BalancedTasks, BalancerSection, LossBalancer, by_task


class StaticConfig(BalancerSection):
    """The weights."""

    kind: Literal["static"] = "static"
    weights: Mapping[str, NonNegativeFloat] = Field(default_factory=dict)
    """Weight per task; a task that is not named has weight 1."""

    @override
    def make(self, tasks: BalancedTasks) -> "Static":
        return Static(tasks.names, by_task(self.weights, tasks.names, key="weights", default=1.0))


class Static(LossBalancer):
    """Adds up the weighted losses of the present tasks."""

    weights: Tensor

    def __init__(self, task_names: Sequence[str], weights: Float[Tensor, " T"]) -> None:
        super().__init__(task_names)
        self.register_buffer("weights", weights)

    @override
    def total(self, values: Float[Tensor, " T"], present: Bool[Tensor, " T"]) -> Float[Tensor, ""]:
        return (self.weights[present] * values[present]).sum()

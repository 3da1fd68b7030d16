"""UW-SO: a softmax of the inverse losses; tasks with a small loss get more weight.

Source: Kirchdorfer et al., Analytical Uncertainty-Based Loss Weighting in Multi-Task Learning,
    GCPR 2024, definition of UW-SO: weight_k = softmax_k((1 / L_k) / temperature), taken as a
    constant.
An inverse loss has a unit: at temperature 1 a loss of 0.05 beside one of 0.8 takes all the weight.
We deviate: by default each loss is first divided by the mean of the first losses that its task had,
in the weights and in the total, so that a temperature of 1 suits tasks of any unit. Without that,
choose a temperature of the order of the spread of 1 / loss. The weights of the present tasks sum to
1; absent tasks keep their first mean.
Shapes: T tasks.
"""

from collections.abc import Sequence
from typing import Literal

from jaxtyping import Bool, Float
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor
from typing_extensions import override

from paretorank.balancing.base import BalancedTasks, BalancerSection, LossBalancer
from paretorank.balancing.first_losses import FirstLosses


class UWSOConfig(BalancerSection):
    """Hyper-parameters of UW-SO."""

    kind: Literal["uw_so"] = "uw_so"
    temperature: PositiveFloat = 1.0
    """Larger is more uniform; the paper searches it for every problem."""
    starts_at_one: bool = True
    """Divide each loss by the mean of its first losses; false takes losses as they are."""
    first_steps: PositiveInt = 100
    """Steps with a task in them whose mean loss is its unit; ignored without `starts_at_one`."""

    @override
    def make(self, tasks: BalancedTasks) -> "UWSO":
        return UWSO(self, tasks.names)


class UWSO(LossBalancer):
    """Weighs each loss by the softmax of inverse losses, which counts as a constant."""

    def __init__(self, config: UWSOConfig, task_names: Sequence[str]) -> None:
        super().__init__(task_names)
        self.config = config
        n_steps = config.first_steps if config.starts_at_one else 0
        self.first = FirstLosses(len(self.task_names), n_steps=n_steps)

    @override
    def total(self, values: Float[Tensor, " T"], present: Bool[Tensor, " T"]) -> Float[Tensor, ""]:
        self.refuse_non_positive(values)
        self.first.record(values.detach(), present)
        losses = values[present]
        if self.config.starts_at_one:
            losses = losses / self.first.mean()[present]
        inverse = losses.detach().reciprocal()
        return ((inverse / self.config.temperature).softmax(dim=0) * losses).sum()

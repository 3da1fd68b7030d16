"""Equal weights: the sum of the losses.

Source: the reference of every comparison; Sener and Koltun, Multi-Task Learning as Multi-Objective
    Optimization, NeurIPS 2018, section 3, equation 1 with all weights 1.
A sum, not a mean: every task weighs 1 however many there are, so that a network below it sees the
same gradient of a task alone and in company. (`mean` is TorchJD's mean.)
"""

from typing import Literal

from jaxtyping import Bool, Float
from torch import Tensor
from typing_extensions import override

from paretorank.balancing.base import BalancedTasks, BalancerSection, LossBalancer


class EqualConfig(BalancerSection):
    """Equal weights have nothing to set."""

    kind: Literal["equal"] = "equal"

    @override
    def make(self, tasks: BalancedTasks) -> "Equal":
        return Equal(tasks.names)


class Equal(LossBalancer):
    """Adds up the losses of the present tasks."""

    @override
    def total(self, values: Float[Tensor, " T"], present: Bool[Tensor, " T"]) -> Float[Tensor, ""]:
        return values[present].sum()

"""UW-O: every loss is divided by itself, which is uncertainty weighting without the waiting.

Source: Kirchdorfer et al., Analytical Uncertainty-Based Loss Weighting in Multi-Task Learning,
    GCPR 2024, definition of UW-O: the optimal variance, put into the objective, leaves the weight
    1 / L_k, taken as a constant.
Without that constant every term would be 1 and there would be nothing to descend. The direction is
that of the geometric mean and of `uncertainty` once its variances have settled. We deviate: by
default the weights of the present tasks are divided by their sum, because otherwise steps grow as
losses fall. Weights follow the noise of a batch; `uncertainty` is the calmer form.
Shapes: T tasks.
"""

from collections.abc import Sequence
from typing import Literal

from jaxtyping import Bool, Float
from torch import Tensor
from typing_extensions import override

from paretorank.balancing.base import BalancedTasks, BalancerSection, LossBalancer


class UWOConfig(BalancerSection):
    """Hyper-parameters of UW-O."""

    kind: Literal["uw_o"] = "uw_o"
    sums_to_one: bool = True
    """Divide the weights by their sum over the present tasks; false gives 1 / loss itself."""

    @override
    def make(self, tasks: BalancedTasks) -> "UWO":
        return UWO(self, tasks.names)


class UWO(LossBalancer):
    """Weighs each loss by its own inverse, which counts as a constant."""

    def __init__(self, config: UWOConfig, task_names: Sequence[str]) -> None:
        super().__init__(task_names)
        self.config = config

    @override
    def total(self, values: Float[Tensor, " T"], present: Bool[Tensor, " T"]) -> Float[Tensor, ""]:
        self.refuse_non_positive(values)
        losses = values[present]
        weights = losses.detach().reciprocal()
        if self.config.sums_to_one:
            weights = weights / weights.sum()
        return (weights * losses).sum()

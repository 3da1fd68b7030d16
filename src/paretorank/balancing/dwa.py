"""Dynamic weight average (DWA): tasks whose loss falls slowly get more weight.

Source: Liu, Johns, Davison, End-to-End Multi-Task Learning with Attention, CVPR 2019, section 3.3,
    equation 7: weight_k = T softmax_k(rate_k / temperature), rate = newer mean / older mean.
The paper averages over epochs; production trains one pass, so we average over windows of steps. A
task that was absent for a whole window keeps its two means; until a task has two, its rate is 1.
Rates are bounded, as a mean near 0 would otherwise give one task all the weight.
Shapes: T tasks.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor
from typing_extensions import override

from paretorank.balancing.base import BalancedTasks, BalancerSection, LossBalancer

LARGEST_RATE = 10.0  # a loss that grew tenfold within a window; more adds no information


class DWAConfig(BalancerSection):
    """Hyper-parameters of DWA."""

    kind: Literal["dwa"] = "dwa"
    temperature: PositiveFloat = 2.0
    """Larger is more uniform; the paper uses 2."""
    window_steps: PositiveInt = 500
    """Steps whose mean loss counts as one epoch of the paper."""

    @override
    def make(self, tasks: BalancedTasks) -> "DWA":
        return DWA(self, tasks.names)


class DWA(LossBalancer):
    """Weighs each loss by how slowly it fell between the last two windows."""

    older: Tensor
    newer: Tensor
    window_sum: Tensor
    window_count: Tensor
    n_steps: Tensor

    def __init__(self, config: DWAConfig, task_names: Sequence[str]) -> None:
        super().__init__(task_names)
        self.config = config
        n_tasks = len(self.task_names)
        self.register_buffer("older", torch.full((n_tasks,), torch.nan))
        self.register_buffer("newer", torch.full((n_tasks,), torch.nan))
        self.register_buffer("window_sum", torch.zeros(n_tasks))
        self.register_buffer("window_count", torch.zeros(n_tasks))
        self.register_buffer("n_steps", torch.tensor(0))

    @override
    def total(self, values: Float[Tensor, " T"], present: Bool[Tensor, " T"]) -> Float[Tensor, ""]:
        weights = self.weights()
        self._record(values.detach(), present)
        return (weights[present] * values[present]).sum()

    def weights(self) -> Float[Tensor, " T"]:
        """Return the weights of all tasks; they sum to T."""
        rates = (self.newer / self.older).nan_to_num(nan=1.0, posinf=LARGEST_RATE)
        rates = rates.clamp(0.0, LARGEST_RATE)
        return len(rates) * (rates / self.config.temperature).softmax(dim=0)

    def _record(self, values: Float[Tensor, " T"], present: Bool[Tensor, " T"]) -> None:
        self.window_sum += torch.where(present, values, 0.0)
        self.window_count += present
        self.n_steps += 1
        if int(self.n_steps) % self.config.window_steps == 0:
            seen = self.window_count > 0
            mean = self.window_sum / self.window_count.clamp(min=1)
            self.older = torch.where(seen, self.newer, self.older)
            self.newer = torch.where(seen, mean, self.newer)
            self.window_sum.zero_()
            self.window_count.zero_()

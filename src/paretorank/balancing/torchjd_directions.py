"""The aggregators of TorchJD that mix coordinates and keep no state, by name.

Source: TorchJD 0.18, `torchjd.aggregation`; each configuration names the paper.
Shapes: T tasks, P present tasks, N elements.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field, PositiveInt
from torch import Tensor
from torchjd import aggregation
from typing_extensions import override

from paretorank.balancing.base import BalancedTasks, by_task
from paretorank.balancing.gradient_balancer import DirectionSection, JacobianBalancer
from paretorank.balancing.guarded_balancer import new_seed
from paretorank.balancing.repeatable_draws import repeatable_draws
from paretorank.foundation.errors import ConfigError
from paretorank.foundation.seeds import derive_seed


class GradDropConfig(DirectionSection):
    """GradDrop: keeps only positive or only negative parts at an element, by chance; adds up.

    Source: Chen et al., Just Pick a Sign, NeurIPS 2020, algorithm 1.
    """

    kind: Literal["grad_drop"] = "grad_drop"
    leak: Mapping[str, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)
    """Share of a task's gradient that always passes; 0 where not named."""

    @override
    def make(self, tasks: BalancedTasks) -> "GradDrop":
        return GradDrop(self, tasks.names, seed=new_seed(tasks.generator))


class GradDrop(JacobianBalancer):
    """Draws a sign for every coordinate, the more likely the more gradients have it."""

    leak: Tensor
    seed: Tensor
    n_calls: Tensor

    def __init__(self, config: GradDropConfig, task_names: Sequence[str], *, seed: int) -> None:
        super().__init__(task_names, at=config.at)
        leak = by_task(config.leak, self.task_names, key="leak", default=0.0)
        self.register_buffer("leak", leak)
        self.register_buffer("seed", torch.tensor(seed))
        self.register_buffer("n_calls", torch.tensor(0))

    @override
    def aggregate(
        self, jacobian: Float[Tensor, "P N"], tasks: Int[Tensor, " P"]
    ) -> Float[Tensor, " N"]:
        self.n_calls += 1
        seed = derive_seed(int(self.seed), "balancer", int(self.n_calls))
        aggregator = aggregation.GradDrop(leak=self.leak[tasks].to(jacobian))
        with repeatable_draws(seed, jacobian.device):
            direction: Tensor = aggregator(jacobian)
        return direction


class TrimmedMeanConfig(DirectionSection):
    """Trimmed mean: leaves out the largest and smallest values of every element.

    Source: Yin et al., Byzantine-Robust Distributed Learning, ICML 2018, definition 2.
    """

    kind: Literal["trimmed_mean"] = "trimmed_mean"
    trim_number: PositiveInt = 1
    """Values left out on each side; of fewer tasks than 2 times that and 1 more, fewer."""

    @override
    def make(self, tasks: BalancedTasks) -> "TrimmedMean":
        if len(tasks.names) < 2 * self.trim_number + 1:
            raise ConfigError(
                f"`balancer.trim_number` = {self.trim_number} needs "
                f"{2 * self.trim_number + 1} tasks or more, there are {len(tasks.names)}.",
                hint='balancer.kind = "upgrad" takes any number of tasks.',
            )
        return TrimmedMean(self, tasks.names)


class TrimmedMean(JacobianBalancer):
    """Descends what most gradients agree on."""

    def __init__(self, config: TrimmedMeanConfig, task_names: Sequence[str]) -> None:
        super().__init__(task_names, at=config.at)
        self.config = config

    @override
    def aggregate(
        self, jacobian: Float[Tensor, "P N"], tasks: Int[Tensor, " P"]
    ) -> Float[Tensor, " N"]:
        trimmed = min(self.config.trim_number, (len(jacobian) - 1) // 2)
        direction: Tensor = aggregation.TrimmedMean(trimmed)(jacobian)
        return direction

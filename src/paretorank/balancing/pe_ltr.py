"""PE-LTR: the shortest mix of the gradients in which every task has at least its share.

Source: Lin et al., A Pareto-Efficient Algorithm for Multiple Objective Optimization in E-Commerce
    Recommendation, RecSys 2019, algorithm 1.
We deviate: weights are used in the step in which they are found, not in the next one; the problem
is solved exactly unless the paper's two steps are asked for.
Shapes: P present tasks.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from paretorank.balancing.base import BalancedTasks, by_task
from paretorank.balancing.bounded_min_norm import bounded_min_norm_weights, free_weight
from paretorank.balancing.gradient_balancer import (
    GramianBalancer,
    PeriodicSection,
    SeenGradients,
)


class PELTRConfig(PeriodicSection):
    """Hyper-parameters of PE-LTR."""

    kind: Literal["pe_ltr"] = "pe_ltr"
    bounds: Mapping[str, float] = Field(default_factory=dict)
    """Least weight of each task; 0 where not named. At most 1 in total, which fixes all weights."""
    solver: Literal["exact", "two_step"] = "exact"
    """`two_step` is the paper's, which for three or more tasks is often not the optimum."""

    @override
    def make(self, tasks: BalancedTasks) -> "PELTR":
        return PELTR(self, tasks.names)


class PELTR(GramianBalancer):
    """Descends the shortest mix that keeps the bounds; the bounds choose the point of the front."""

    def __init__(self, config: PELTRConfig, task_names: Sequence[str]) -> None:
        super().__init__(task_names, at=config.at, every_steps=config.every_steps)
        self.config = config
        by_task(config.bounds, self.task_names, key="bounds", default=0.0)  # refuses other names
        listed = [config.bounds.get(name, 0.0) for name in self.task_names]
        self.bounds = torch.tensor(listed, dtype=torch.float64)
        free_weight(self.bounds, self.task_names)  # refuses what cannot be kept

    @override
    def weigh(self, seen: SeenGradients) -> Float[Tensor, " P"]:
        bounds = self.bounds.to(seen.tasks.device)[seen.tasks]
        return bounded_min_norm_weights(seen.gramian, bounds, solver=self.config.solver)

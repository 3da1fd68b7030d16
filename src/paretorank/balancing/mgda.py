"""MGDA: the shortest mix of the gradients, along which every loss falls.

Source: Sener, Koltun, Multi-Task Learning as Multi-Objective Optimization, NeurIPS 2018, algorithms
    1 and 2, with the four normalizations of the authors' code.
We deviate: the solution is exact, and normalized gradients are also what is mixed, so that all
losses fall with any normalization; the authors mix the original ones with those weights.
Shapes: P present tasks.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from paretorank.balancing.base import BalancedTasks
from paretorank.balancing.gradient_balancer import (
    GramianBalancer,
    PeriodicSection,
    SeenGradients,
)
from paretorank.balancing.min_norm import min_norm_weights
from paretorank.foundation.errors import TrainingError

SHORTEST = 1e-150  # stands for the length of a zero gradient, which then gets all the weight


class MGDAConfig(PeriodicSection):
    """Hyper-parameters of MGDA."""

    kind: Literal["mgda"] = "mgda"
    normalize: Literal["none", "l2", "loss", "loss+"] = "none"
    """What gradients are divided by first: nothing, their length, their loss, or both. Without it,
    tasks with short gradients dominate."""

    @override
    def make(self, tasks: BalancedTasks) -> "MGDA":
        return MGDA(self, tasks.names)


class MGDA(GramianBalancer):
    """Descends the shortest mix; its length is 0 where no direction helps all tasks."""

    def __init__(self, config: MGDAConfig, task_names: Sequence[str]) -> None:
        super().__init__(task_names, at=config.at, every_steps=config.every_steps)
        self.config = config

    @override
    def weigh(self, seen: SeenGradients) -> Float[Tensor, " P"]:
        sizes = self._sizes(seen)
        weights = min_norm_weights(seen.gramian / sizes / sizes[:, None]) / sizes
        return weights / weights.sum()

    def _sizes(self, seen: SeenGradients) -> Float[Tensor, " P"]:
        lengths = seen.gramian.diagonal().sqrt().clamp(min=SHORTEST)
        match self.config.normalize:
            case "none":
                return torch.ones_like(lengths)
            case "l2":
                return lengths
            case "loss":
                return self._positive(seen.losses)
            case "loss+":
                return self._positive(seen.losses) * lengths

    def _positive(self, losses: Float[Tensor, " P"]) -> Float[Tensor, " P"]:
        if not bool((losses > 0).all()):
            raise TrainingError(
                f"`balancer.normalize` by losses needs losses above 0, got {losses.tolist()}.",
                hint='normalize = "l2" takes losses of any sign.',
            )
        return losses

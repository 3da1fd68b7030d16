"""UPGrad: each gradient is projected so that it hurts no task, and the projections are averaged.

Source: Quinton and Rey, Jacobian Descent for Multi-Objective Optimization, arXiv 2406.16232,
    section 3.3; the weights are those of TorchJD's `UPGradWeighting`.
Shapes: P present tasks.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torchjd.aggregation import UPGradWeighting
from typing_extensions import override

from paretorank.balancing.gradient_balancer import (
    GramianBalancer,
    PeriodicSection,
    SeenGradients,
)


class UPGradConfig(PeriodicSection):
    """Hyper-parameters of UPGrad."""

    kind: Literal["upgrad"] = "upgrad"

    @override
    def build(
        self,
        *,
        task_names: Sequence[str],
        balance_factors: Float[Tensor, " T"],
        generator: torch.Generator,
    ) -> "UPGrad":
        return UPGrad(task_names, at=self.at, every_steps=self.every_steps)


class UPGrad(GramianBalancer):
    """Descends a direction that, up to noise, raises no task's loss."""

    @override
    def weigh(self, seen: SeenGradients) -> Float[Tensor, " P"]:
        weights: Tensor = UPGradWeighting()(seen.gramian)
        return weights

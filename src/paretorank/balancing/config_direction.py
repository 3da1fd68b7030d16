"""ConFIG: a direction with the same cosine to every task's gradient.

Source: Liu et al., ConFIG: Towards Conflict-free Training of Physics Informed Neural Networks,
    ICLR 2025, equation 2; the direction is that of TorchJD's `ConFIG`.
Shapes: P present tasks, N elements.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchjd.aggregation import ConFIG
from typing_extensions import override

from paretorank.balancing.gradient_balancer import GradientSection, JacobianBalancer


class ConFIGConfig(GradientSection):
    """Hyper-parameters of ConFIG."""

    kind: Literal["config"] = "config"

    @override
    def build(
        self,
        *,
        task_names: Sequence[str],
        balance_factors: Float[Tensor, " T"],
        generator: torch.Generator,
    ) -> "ConFIGDirection":
        return ConFIGDirection(task_names, at=self.at)


class ConFIGDirection(JacobianBalancer):
    """Descends where all losses fall at the same angle."""

    @override
    def aggregate(
        self, jacobian: Float[Tensor, "P N"], tasks: Int[Tensor, " P"]
    ) -> Float[Tensor, " N"]:
        direction: Tensor = ConFIG()(jacobian)
        return direction

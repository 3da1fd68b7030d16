"""ConFIG: a direction with the same cosine to every task's gradient.

Source: Liu et al., ConFIG: Towards Conflict-free Training of Physics Informed Neural Networks,
    ICLR 2025, equation 2; the direction is that of TorchJD's `ConFIG`.
Shapes: T tasks, P present tasks, N elements.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field, PositiveFloat
from torch import Tensor
from torchjd.aggregation import ConFIG
from typing_extensions import override

from paretorank.balancing.base import BalancedTasks, by_task
from paretorank.balancing.gradient_balancer import DirectionSection, JacobianBalancer, Place


class ConFIGConfig(DirectionSection):
    """Hyper-parameters of ConFIG."""

    kind: Literal["config"] = "config"
    preference: Mapping[str, PositiveFloat] = Field(default_factory=dict)
    """Cosine with each task's gradient, relative to the others; 1 where not named."""

    @override
    def make(self, tasks: BalancedTasks) -> "ConFIGDirection":
        preference = by_task(self.preference, tasks.names, key="preference", default=1.0)
        return ConFIGDirection(tasks.names, preference=preference, at=self.at)


class ConFIGDirection(JacobianBalancer):
    """Descends where all losses fall at the same angle, or at the angles that are wished."""

    preference: Tensor

    def __init__(
        self,
        task_names: Sequence[str],
        *,
        preference: Float[Tensor, " T"] | None = None,
        at: Place = "representation",
    ) -> None:
        super().__init__(task_names, at=at)
        given = torch.ones(len(self.task_names)) if preference is None else preference
        self.register_buffer("preference", given)

    @override
    def aggregate(
        self, jacobian: Float[Tensor, "P N"], tasks: Int[Tensor, " P"]
    ) -> Float[Tensor, " N"]:
        direction: Tensor = ConFIG(self.preference[tasks].to(jacobian))(jacobian)
        return direction

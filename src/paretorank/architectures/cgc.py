"""Customised gate control (CGC): every task mixes experts of its own with shared ones.

Source: Tang et al., Progressive Layered Extraction (PLE): A Novel Multi-Task Learning (MTL) Model
    for Personalized Recommendations, RecSys 2020 (Customized Gate Control).
We deviate: gates start near uniform (standard deviation 0.01), which the paper does not fix.
Order of the experts in a gate: the task's own ones, then the shared ones.
Shapes: B rows, T tasks, D input width, V experts a task sees (own and shared), H expert width.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from typing_extensions import override

from paretorank.architectures.base import Architecture, Represented
from paretorank.architectures.experts_config import ExtractionConfig
from paretorank.blocks import NO_EXTRAS, Extras, Rows, mix_experts


class CGCConfig(ExtractionConfig):
    """Hyper-parameters of CGC."""

    kind: Literal["cgc"] = "cgc"

    def build(self, *, in_dim: int, n_tasks: int, generator: torch.Generator) -> "CGC":
        """Return the network with initial values drawn from `generator`."""
        return CGC(self, in_dim=in_dim, n_tasks=n_tasks, generator=generator)


class CGC(Architecture):
    """Every task mixes experts of its own with shared ones."""

    def __init__(
        self, config: CGCConfig, *, in_dim: int, n_tasks: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.level = config.build_level(
            in_dim=in_dim, n_tasks=n_tasks, has_shared_gate=False, generator=generator
        )
        self.out_dim = self.level.out_dim

    @override
    def forward(self, x: Rows, extras: Extras = NO_EXTRAS) -> Float[Tensor, "B T H"]:
        return self.represent(x, extras).h

    @override
    def represent(self, x: Rows, extras: Extras = NO_EXTRAS) -> Represented:
        weights, experts = self.level.gated(x)
        return Represented(mix_experts(weights, experts), experts, weights)

    @override
    def shared_parameters(self) -> list[nn.Parameter]:
        return self.level.experts.shared_parameters()

    @override
    @torch.no_grad()
    def gate_weights(self, x: Rows, extras: Extras = NO_EXTRAS) -> Float[Tensor, "B T V"]:
        return self.level.task_weights(x)

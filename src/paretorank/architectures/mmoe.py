"""Multi-gate mixture of experts (MMoE): every task mixes the same experts with a gate of its own.

Source: Ma et al., Modeling Task Relationships in Multi-task Learning with Multi-gate
    Mixture-of-Experts, KDD 2018, section 4.2.
We deviate: gates start near uniform (standard deviation 0.01), which the paper does not fix; all
first layers of the experts are one matrix product.
Shapes: B rows, T tasks, D input width, E experts, H expert width.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from typing_extensions import override

from paretorank.architectures.base import Architecture, Represented
from paretorank.architectures.experts_config import ExpertsConfig
from paretorank.architectures.gates_config import GatesConfig
from paretorank.blocks import NO_EXTRAS, Extras, GateBank, Rows, mix_experts


class MMoEConfig(ExpertsConfig):
    """Hyper-parameters of MMoE."""

    kind: Literal["mmoe"] = "mmoe"
    gates: GatesConfig = GatesConfig()
    """How gates weigh experts, and what keeps them from collapsing."""

    def build(self, *, in_dim: int, n_tasks: int, generator: torch.Generator) -> "MMoE":
        """Return the network with initial values drawn from `generator`."""
        return MMoE(self, in_dim=in_dim, n_tasks=n_tasks, generator=generator)


class MMoE(Architecture):
    """Every task mixes the same experts with a gate of its own."""

    def __init__(
        self, config: MMoEConfig, *, in_dim: int, n_tasks: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.experts = config.build_experts(in_dim=in_dim, generator=generator)
        self.gates = GateBank(in_dim, config.n_experts, n_gates=n_tasks, generator=generator)
        self.softmax = config.gates.build_softmax()
        self.out_dim = self.experts.out_dim

    @override
    def forward(self, x: Rows, extras: Extras = NO_EXTRAS) -> Float[Tensor, "B T H"]:
        return self.represent(x, extras).h

    @override
    def represent(self, x: Rows, extras: Extras = NO_EXTRAS) -> Represented:
        weights, experts = self.softmax(self.gates(x)), self.experts(x)
        return Represented(mix_experts(weights, experts), experts, weights)

    @override
    def shared_parameters(self) -> list[nn.Parameter]:
        return list(self.experts.parameters())

    @override
    @torch.no_grad()
    def gate_weights(self, x: Rows, extras: Extras = NO_EXTRAS) -> Float[Tensor, "B T E"]:
        return self.softmax.plain(self.gates(x))

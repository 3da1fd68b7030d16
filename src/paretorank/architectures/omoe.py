"""One-gate mixture of experts (OMoE): the experts of MMoE under a single gate.

Source: Ma et al., Modeling Task Relationships in Multi-task Learning with Multi-gate
    Mixture-of-Experts, KDD 2018, section 4.1.
We deviate: gates start near uniform (standard deviation 0.01), which the paper does not fix.
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


class OMoEConfig(ExpertsConfig):
    """Hyper-parameters of OMoE."""

    kind: Literal["omoe"] = "omoe"
    gates: GatesConfig = GatesConfig()
    """How gates weigh experts, and what keeps them from collapsing."""

    def build(self, *, in_dim: int, n_tasks: int, generator: torch.Generator) -> "OMoE":
        """Return the network with initial values drawn from `generator`."""
        return OMoE(self, in_dim=in_dim, n_tasks=n_tasks, generator=generator)


class OMoE(Architecture):
    """All tasks read the same mixture of experts."""

    def __init__(
        self, config: OMoEConfig, *, in_dim: int, n_tasks: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.experts = config.build_experts(in_dim=in_dim, generator=generator)
        self.gate = GateBank(in_dim, config.n_experts, n_gates=1, generator=generator)
        self.n_tasks = n_tasks
        self.softmax = config.gates.build_softmax()
        self.out_dim = self.experts.out_dim

    @override
    def forward(self, x: Rows, extras: Extras = NO_EXTRAS) -> Float[Tensor, "B T H"]:
        return self.represent(x, extras).h

    @override
    def represent(self, x: Rows, extras: Extras = NO_EXTRAS) -> Represented:
        # All tasks read the one mixture, so it is the last thing that they share.
        shared = mix_experts(self.softmax(self.gate(x)), self.experts(x))
        ones = shared.new_ones(1, self.n_tasks, 1)
        return Represented(shared.expand(-1, self.n_tasks, -1), shared, ones)

    @override
    def shared_parameters(self) -> list[nn.Parameter]:
        return list(self.parameters())

    @override
    @torch.no_grad()
    def gate_weights(self, x: Rows, extras: Extras = NO_EXTRAS) -> Float[Tensor, "B T E"]:
        return self.softmax.plain(self.gate(x)).expand(-1, self.n_tasks, -1)

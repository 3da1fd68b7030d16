"""AdaTT: units of tasks mix all experts by a gate, and add their own experts as a residual.

Source: Li et al., AdaTT: Adaptive Task-to-Task Fusion Network for Multitask Learning in
    Recommendations, KDD 2023.
At each level, a unit reads its own stream (all read the input at the first level), mixes the
experts of all units by a softmax gate, and adds a linear combination of its native experts, of
which a single one has the fixed weight 1. Shared units (general AdaTT; none is AdaTT-sp) are like
those of tasks but lead to no tower; the last level mixes for the tasks only.
We deviate: gates start near uniform (standard deviation 0.01).
Order of the experts in a gate: those of the tasks, task by task, then those of the shared units.
Shapes: B rows, T tasks, U units, D input width, E experts of all units, H expert width.
"""

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor, nn
from typing_extensions import override

from paretorank.architectures.base import Architecture, Represented
from paretorank.architectures.experts_config import ExpertShapeConfig
from paretorank.architectures.gates_config import GatesConfig
from paretorank.blocks import (
    NO_EXTRAS,
    ExpertGroups,
    Extras,
    GateBank,
    Rows,
    mix_experts,
    uniform_parameter,
)


class AdaTTConfig(ExpertShapeConfig):
    """Hyper-parameters of AdaTT."""

    kind: Literal["adatt"] = "adatt"
    n_levels: PositiveInt = 2
    """Levels of experts on top of each other; each has `expert_dims`."""
    n_task_experts: PositiveInt = 2
    """Experts of each task, at each level."""
    n_shared_units: NonNegativeInt = 0
    """Units that belong to no task; 0 is AdaTT-sp."""
    n_shared_experts: PositiveInt = 1
    """Experts of each shared unit, at each level."""
    gates: GatesConfig = GatesConfig()
    """How gates weigh experts, and what keeps them from collapsing."""

    def build(self, *, in_dim: int, n_tasks: int, generator: torch.Generator) -> "AdaTT":
        """Return the network with initial values drawn from `generator`."""
        return AdaTT(self, in_dim=in_dim, n_tasks=n_tasks, generator=generator)


class AdaTT(Architecture):
    """Every task mixes the experts of all tasks and keeps its own ones as a residual."""

    def __init__(
        self, config: AdaTTConfig, *, in_dim: int, n_tasks: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.out_dim = config.expert_dims[-1]
        self.lower = nn.ModuleList()
        for level in range(config.n_levels - 1):
            width = self.out_dim if level else in_dim
            self.lower.append(FusionLevel(config, width, n_tasks, is_last=False, draw=generator))
        width = self.out_dim if len(self.lower) else in_dim
        self.last = FusionLevel(config, width, n_tasks, is_last=True, draw=generator)

    @override
    def forward(self, x: Rows, extras: Extras = NO_EXTRAS) -> Float[Tensor, "B T H"]:
        return self.represent(x, extras).h

    @override
    def represent(self, x: Rows, extras: Extras = NO_EXTRAS) -> Represented:
        weights, experts = self.last.gated(self._below_last(x))
        return Represented(mix_experts(weights, experts), experts, weights)

    @override
    def shared_parameters(self) -> list[nn.Parameter]:
        return [*self.lower.parameters(), *self.last.experts.parameters()]

    @override
    @torch.no_grad()
    def gate_weights(self, x: Rows, extras: Extras = NO_EXTRAS) -> Float[Tensor, "B T E"]:
        """Return the weights of the last level's gates, without the residual."""
        return self.last.softmax.plain(self.last.logits(self._below_last(x)))

    def _below_last(self, x: Rows) -> Rows | Float[Tensor, "U B H"]:
        streams: Rows | Tensor = x
        for level in self.lower:
            streams = level(streams)
        return streams


class FusionLevel(nn.Module):
    """Maps one input, or a stream per unit, to a stream per unit, the last level per task."""

    positions: Tensor
    single: Tensor

    def __init__(
        self,
        config: AdaTTConfig,
        in_dim: int,
        n_tasks: int,
        *,
        is_last: bool,
        draw: torch.Generator,
    ) -> None:
        super().__init__()
        self.experts = ExpertGroups(
            in_dim,
            n_groups=n_tasks,
            n_own=config.n_task_experts,
            n_shared=config.n_shared_experts,
            n_shared_groups=config.n_shared_units,
            generator=draw,
            **config.expert_settings(),
        )
        counts = [config.n_task_experts] * n_tasks
        counts += [] if is_last else [config.n_shared_experts] * config.n_shared_units
        self.n_units = len(counts)
        self.gates = GateBank(in_dim, self.experts.n_experts, n_gates=self.n_units, generator=draw)
        self.softmax = config.gates.build_softmax()
        # The native experts of the units stand in the order of the units, one after another.
        unit = torch.arange(self.n_units).repeat_interleave(torch.tensor(counts))
        positions = unit * self.experts.n_experts + torch.arange(len(unit))
        is_single = torch.tensor([count == 1 for count in counts])[unit]
        self.register_buffer("positions", positions, persistent=False)
        self.register_buffer("single", is_single, persistent=False)
        self.native = nn.ParameterList(
            uniform_parameter(size, fan_in=count, generator=draw)
            for count, size in (
                (c, sum(k for k in counts if k == c)) for c in dict.fromkeys(counts)
            )
            if count > 1
        )
        """Weights of native experts, of units with several ones, in the order of the units."""

    @override
    def forward(self, x: Rows | Float[Tensor, "S B D"]) -> Float[Tensor, "U B H"]:
        return mix_experts(*self.gated(x)).transpose(0, 1)

    def gated(
        self, x: Rows | Float[Tensor, "S B D"]
    ) -> tuple[Float[Tensor, "B U E"], Float[Tensor, "B E H"]]:
        """Return how the units mix the experts, and the experts."""
        return self.softmax(self.logits(x)) + self._residual(), self.experts(x)

    def logits(self, x: Rows | Float[Tensor, "S B D"]) -> Float[Tensor, "B U E"]:
        """Return a logit for every unit and expert."""
        if isinstance(x, Tensor) and x.ndim == 3:  # noqa: PLR2004 - a stream per unit
            x = x[: self.n_units]
        logits: Tensor = self.gates(x)
        return logits

    def _residual(self) -> Float[Tensor, "U E"]:
        """Return the weights of the native experts, zero for all others."""
        values = self.gates.weight.new_ones(len(self.positions))
        if len(self.native):
            values = values.masked_scatter(~self.single, torch.cat(list(self.native)))
        empty = self.gates.weight.new_zeros(self.n_units * self.experts.n_experts)
        return empty.scatter(0, self.positions, values).view(self.n_units, -1)

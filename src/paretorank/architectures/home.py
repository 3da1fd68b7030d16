"""HoME: two levels of normalised experts, where tasks of one group share more than all tasks do.

Source: Wang et al., HoME: Hierarchy of Multi-Gate Experts for Multi-Task Learning at Kuaishou,
    2024 (arXiv 2408.05430).
Experts are Swish(BatchNorm(...)), so that their outputs have one scale. At the first level,
meta-experts of each group and shared ones read the input, each through a feature gate of low rank.
At the second level, a task sees its own experts, those of its group and the shared ones. A
self-gate adds the own experts of a group or task as a residual, so that they are trained.

We deviate: each layer of an expert is normalised, not the last one only; the shared stream mixes
shared meta-experts only, so that a group's experts get no gradient from other groups at any level,
and has no self-gate; feature gates stand at the first level only and start as the identity.
Order of the experts in a gate: the task's own ones, those of its group, the shared ones.
Shapes: B rows, T tasks, G groups, D input width, E experts, V experts in sight, H expert width.
"""

from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor, nn
from typing_extensions import override

from paretorank.architectures.base import Architecture, ArchitectureSection
from paretorank.architectures.gates_config import GatesConfig
from paretorank.blocks import (
    NO_EXTRAS,
    ExpertBank,
    Extras,
    GateBank,
    Rows,
    linear,
    mix_experts,
    spread_logits,
    spread_weights,
    uniform_parameter,
    weights_in_sight,
    whole_rows,
)
from paretorank.foundation.errors import ConfigError


class HoMEConfig(ArchitectureSection):
    """Hyper-parameters of HoME."""

    kind: Literal["home"] = "home"
    task_groups: tuple[NonNegativeInt, ...] = ()
    """Group of each task, in the order of the tasks: [0, 0, 1] puts the third one apart. Empty: all
    tasks are one group. Watching and interacting are the groups of the paper."""
    n_shared_experts: PositiveInt = 2
    """Experts that all tasks share, at each level."""
    n_group_experts: PositiveInt = 2
    """Experts of each group, at each level."""
    n_task_experts: PositiveInt = 1
    """Experts of each task, at the second level."""
    expert_dims: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (256, 128)
    """Widths of the layers of each expert; the last one is what the towers read."""
    dropout_rate: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Share of the units of each layer that are dropped while training."""
    feature_gate_rank: NonNegativeInt = 16
    """Rank of the map from the input to the feature gate of an expert; 0 leaves the gates out. Each
    expert then reads an input of its own, which costs time and memory."""
    gates: GatesConfig = GatesConfig()
    """How gates weigh experts, and what keeps them from collapsing."""

    def build(self, *, in_dim: int, n_tasks: int, generator: torch.Generator) -> "HoME":
        """Return the network with initial values drawn from `generator`.

        Raises:
            ConfigError: `task_groups` does not name a group for each task.
        """
        if self.task_groups and len(self.task_groups) != n_tasks:
            raise ConfigError(
                f"model.architecture.task_groups must name a group for each of {n_tasks} tasks, "
                f"got {list(self.task_groups)}.",
                hint="Give one number per task, in the order of [tasks], or leave it out.",
            )
        return HoME(self, in_dim=in_dim, n_tasks=n_tasks, generator=generator)

    def build_experts(self, in_dim: int, n_experts: int, draw: torch.Generator) -> ExpertBank:
        """Return normalised experts."""
        return ExpertBank(
            in_dim,
            self.expert_dims,
            n_experts,
            generator=draw,
            activation="silu",
            dropout_rate=self.dropout_rate,
            normalized=True,
        )


class HoME(Architecture):
    """A task mixes its own experts with those of its group and with shared ones."""

    group_of_task: Tensor

    def __init__(
        self, config: HoMEConfig, *, in_dim: int, n_tasks: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        named = config.task_groups or (0,) * n_tasks
        number = {name: at for at, name in enumerate(dict.fromkeys(named))}
        of_task = torch.tensor([number[name] for name in named])
        self.register_buffer("group_of_task", of_task, persistent=False)
        self.has_company = len(number) < n_tasks
        """Whether any group has several tasks."""
        self.meta = MetaLevel(config, in_dim, len(number), generator)
        self.tasks = TaskLevel(config, of_task, len(number), generator)
        self.out_dim = config.expert_dims[-1]

    @override
    def forward(self, x: Rows, extras: Extras = NO_EXTRAS) -> Float[Tensor, "B T H"]:
        h: Tensor = self.tasks(*self.meta(x))
        return h

    @override
    def shared_parameters(self) -> list[nn.Parameter]:
        of_all: list[nn.Module] = [self.meta.shared, self.meta.shared_gate, self.tasks.shared]
        of_groups: list[nn.Module] = [self.meta.group, self.meta.gate, self.tasks.group]
        parts = of_all + (of_groups if self.has_company else [])
        return [parameter for part in parts for parameter in part.parameters()]

    @override
    @torch.no_grad()
    def gate_weights(self, x: Rows, extras: Extras = NO_EXTRAS) -> Float[Tensor, "B T V"]:
        """Return the weights of the second level, without the self-gate."""
        return self.tasks.gate.plain_weights(self.tasks.gate_input(*self.meta(x)))


class MetaLevel(nn.Module):
    """Maps the input to a stream per group and a shared one."""

    def __init__(
        self, config: HoMEConfig, in_dim: int, n_groups: int, draw: torch.Generator
    ) -> None:
        super().__init__()
        n_own, n_shared = config.n_group_experts, config.n_shared_experts
        self.shared = GatedExperts(config, in_dim, n_shared, draw)
        self.group = GatedExperts(config, in_dim, n_groups * n_own, draw)
        own = torch.arange(n_groups * n_own).view(n_groups, n_own)
        shared = n_groups * n_own + torch.arange(n_shared).expand(n_groups, -1)
        self.gate = ResidualGate(config.gates, in_dim, own, shared, draw)
        self.shared_gate = GateBank(in_dim, n_shared, 1, generator=draw)
        self.shared_softmax = config.gates.build_softmax()

    @override
    def forward(self, x: Rows) -> tuple[Float[Tensor, "B G H"], Float[Tensor, "B 1 H"]]:
        shared = self.shared(x)
        streams = mix_experts(self.gate(x), torch.cat([self.group(x), shared], dim=1))
        return streams, mix_experts(self.shared_softmax(self.shared_gate(x)), shared)


class TaskLevel(nn.Module):
    """Maps the streams of groups and the shared one to a representation per task."""

    group_of_task: Tensor

    def __init__(
        self, config: HoMEConfig, of_task: Tensor, n_groups: int, draw: torch.Generator
    ) -> None:
        super().__init__()
        width, n_tasks = config.expert_dims[-1], len(of_task)
        n_own, n_group = config.n_task_experts, config.n_group_experts
        self.own = config.build_experts(width, n_tasks * n_own, draw)
        self.group = config.build_experts(width, n_groups * n_group, draw)
        self.shared = config.build_experts(width, config.n_shared_experts, draw)
        first_group, first_shared = n_tasks * n_own, n_tasks * n_own + n_groups * n_group
        own = torch.arange(first_group).view(n_tasks, n_own)
        of_group = first_group + torch.arange(n_groups * n_group).view(n_groups, n_group)[of_task]
        shared = first_shared + torch.arange(config.n_shared_experts).expand(n_tasks, -1)
        others = torch.cat([of_group, shared], dim=1)
        self.gate = ResidualGate(config.gates, 2 * width, own, others, draw)
        self.register_buffer("group_of_task", of_task, persistent=False)
        self.n_own, self.n_group = n_own, n_group

    @override
    def forward(
        self, groups: Float[Tensor, "B G H"], shared: Float[Tensor, "B 1 H"]
    ) -> Float[Tensor, "B T H"]:
        by_group = groups.transpose(0, 1)
        by_task = by_group.index_select(0, self.group_of_task)
        outputs = (
            self.own(by_task.repeat_interleave(self.n_own, dim=0)),
            self.group(by_group.repeat_interleave(self.n_group, dim=0)),
            self.shared(shared.squeeze(1)),
        )
        weights = self.gate(self.gate_input(groups, shared))
        return mix_experts(weights, torch.cat(outputs, dim=1))

    def gate_input(
        self, groups: Float[Tensor, "B G H"], shared: Float[Tensor, "B 1 H"]
    ) -> Float[Tensor, "T B 2*H"]:
        """Return the stream of each task's group beside the shared one."""
        by_task = groups.index_select(1, self.group_of_task)
        return torch.cat([by_task, shared.expand_as(by_task)], dim=2).transpose(0, 1)


class ResidualGate(nn.Module):
    """A softmax over the experts in sight, plus a self-gate over the own ones."""

    own: Tensor
    seen: Tensor

    def __init__(
        self,
        config: GatesConfig,
        in_dim: int,
        own: Tensor,
        others: Tensor,
        draw: torch.Generator,
    ) -> None:
        super().__init__()
        n_gates, n_own = own.shape
        self.register_buffer("own", own, persistent=False)
        self.register_buffer("seen", torch.cat([own, others], dim=1), persistent=False)
        self.n_experts = int(self.seen.max()) + 1
        self.gates = GateBank(in_dim, self.seen.shape[1], n_gates, generator=draw)
        self.self_gates = GateBank(in_dim, n_own, n_gates, generator=draw)
        self.softmax = config.build_softmax()

    @override
    def forward(self, x: Rows | Float[Tensor, "G B D"]) -> Float[Tensor, "B G E"]:
        """Return the sum of both weights over all experts."""
        weights = self.softmax(spread_logits(self.gates(x), self.seen, self.n_experts))
        logits = self.self_gates(x)
        own = logits.sigmoid() if self.own.shape[1] == 1 else logits.softmax(dim=2)
        return weights + spread_weights(own, self.own, self.n_experts)

    def plain_weights(self, x: Rows | Float[Tensor, "G B D"]) -> Float[Tensor, "B G V"]:
        """Return the softmax over the experts in sight, as it is at inference."""
        logits = spread_logits(self.gates(x), self.seen, self.n_experts)
        return weights_in_sight(self.softmax.plain(logits), self.seen)


class GatedExperts(nn.Module):
    """Experts that each read the input through a feature gate of their own."""

    def __init__(
        self, config: HoMEConfig, in_dim: int, n_experts: int, draw: torch.Generator
    ) -> None:
        super().__init__()
        self.experts = config.build_experts(in_dim, n_experts, draw)
        rank = config.feature_gate_rank
        self.features = FeatureGates(in_dim, n_experts, rank, draw) if rank else None

    @override
    def forward(self, x: Rows) -> Float[Tensor, "B E H"]:
        h: Tensor = self.experts(x if self.features is None else self.features(x))
        return h


class FeatureGates(nn.Module):
    """Scales every input column by 2 sigmoid(x A B), once for each expert; B starts at zero."""

    def __init__(self, in_dim: int, n_experts: int, rank: int, draw: torch.Generator) -> None:
        super().__init__()
        self.down = uniform_parameter(n_experts * rank, in_dim, fan_in=in_dim, generator=draw)
        self.up = nn.Parameter(torch.zeros(n_experts, rank, in_dim))

    @override
    def forward(self, x: Rows) -> Float[Tensor, "E B D"]:
        n_experts, rank, _ = self.up.shape
        low = linear(x, self.down).view(len(x), n_experts, rank).transpose(0, 1)
        return whole_rows(x) * (2 * torch.bmm(low, self.up).sigmoid())

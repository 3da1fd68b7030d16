"""Progressive layered extraction (PLE): levels of customised gate control on top of each other.

Source: Tang et al., Progressive Layered Extraction (PLE): A Novel Multi-Task Learning (MTL) Model
    for Personalized Recommendations, RecSys 2020.
At each level but the first, the experts of a task read the task's stream, and the shared experts
read the shared stream; the shared gate, which all levels but the last have, mixes the experts of
all tasks and the shared ones. Without shared experts nothing reads the shared stream: it is left
out, and tasks are separate.
We deviate: gates start near uniform (standard deviation 0.01), which the paper does not fix.
Order of the experts in a gate: the task's own ones, then the shared ones.
Shapes: B rows, T tasks, D input width, V experts a task sees (own and shared), H expert width.
"""

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import PositiveInt
from torch import Tensor, nn
from typing_extensions import override

from paretorank.architectures.base import Architecture, Represented
from paretorank.architectures.experts_config import ExtractionConfig
from paretorank.blocks import NO_EXTRAS, ExtractionLevel, Extras, Rows, mix_experts


class PLEConfig(ExtractionConfig):
    """Hyper-parameters of PLE."""

    kind: Literal["ple"] = "ple"
    n_levels: PositiveInt = 2
    """Levels of experts on top of each other; each has `expert_dims`. One level is CGC."""

    def build(self, *, in_dim: int, n_tasks: int, generator: torch.Generator) -> "PLE":
        """Return the network with initial values drawn from `generator`."""
        return PLE(self, in_dim=in_dim, n_tasks=n_tasks, generator=generator)


class PLE(Architecture):
    """Tasks separate level by level, and exchange through a shared stream in between."""

    def __init__(
        self, config: PLEConfig, *, in_dim: int, n_tasks: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.out_dim = config.expert_dims[-1]
        has_shared = config.n_shared_experts > 0
        self.levels = nn.ModuleList(
            config.build_level(
                in_dim=self.out_dim if level else in_dim,
                n_tasks=n_tasks,
                has_shared_gate=has_shared and level < config.n_levels - 1,
                generator=generator,
            )
            for level in range(config.n_levels)
        )

    @override
    def forward(self, x: Rows, extras: Extras = NO_EXTRAS) -> Float[Tensor, "B T H"]:
        return self.represent(x, extras).h

    @override
    def represent(self, x: Rows, extras: Extras = NO_EXTRAS) -> Represented:
        weights, experts = self._last.gated(self._below_last(x))
        return Represented(mix_experts(weights, experts), experts, weights)

    @override
    def shared_parameters(self) -> list[nn.Parameter]:
        shared: list[nn.Parameter] = []
        *lower, last = self.extraction_levels()
        if last.experts.shared_parameters():
            for height, level in enumerate(reversed(lower)):
                # Right below the last level, the gate of a task leads to nobody else's output.
                whole = level.parameters() if height else _all_but_task_gates(level)
                shared += whole
        return [*shared, *last.experts.shared_parameters()]

    @override
    @torch.no_grad()
    def gate_weights(self, x: Rows, extras: Extras = NO_EXTRAS) -> Float[Tensor, "B T V"]:
        return self._last.task_weights(self._below_last(x))

    def _below_last(self, x: Rows) -> Rows | Float[Tensor, "S B H"]:
        """Return what the last level reads."""
        streams: Rows | Tensor = x
        for level in self.extraction_levels()[:-1]:
            streams = level(streams)
        return streams

    @property
    def _last(self) -> ExtractionLevel:
        return self.extraction_levels()[-1]

    def extraction_levels(self) -> list[ExtractionLevel]:
        """Return the levels, the one that reads the input first."""
        return [level for level in self.levels if isinstance(level, ExtractionLevel)]


def _all_but_task_gates(level: ExtractionLevel) -> list[nn.Parameter]:
    return [p for p in level.parameters() if p is not level.task_gates.weight]

"""STEM-Net: embedding tables that all tasks share beside tables of each task's own.

Source: Su et al., STEM: Unleashing the Power of Embeddings for Multi-task Recommendation, AAAI
    2024 (shared and task-specific embeddings; all forward, task-specific backward gates).
Every row stands T + 1 times in the model: looked up in the shared tables and in those of each
task. Shared experts read the former, each task's experts the latter. The gate of a task reads the
sum of both inputs and mixes the experts of all tasks; what it takes from the experts of other
tasks is cut off from the gradient, so that a table learns from its own task alone.
We deviate: one layer of experts, hence no shared gate. Numbers have no tables, so that they read
the same in all T + 1 inputs.
The tables cost T + 1 times the memory. They are stepped together: an optimizer that keeps one
number per row (Adagrad) scales all T + 1 parts of a row by it, Adam scales each by itself.
Shapes: B rows, T tasks, D input width, E experts, H expert width, N experts of single tasks.
"""

from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from pydantic import PositiveInt
from torch import Tensor, nn
from typing_extensions import override

from paretorank.architectures.base import Architecture, Needs
from paretorank.architectures.experts_config import ExpertsConfig
from paretorank.architectures.gate_health import Remedies
from paretorank.blocks import NO_EXTRAS, Extras, GateBank, Rows, mix_experts, whole_rows


class STEMConfig(ExpertsConfig):
    """Hyper-parameters of STEM-Net; `n_experts` are shared."""

    kind: Literal["stem"] = "stem"
    n_experts: PositiveInt = 2
    """Number of experts that read the shared embeddings."""
    n_task_experts: PositiveInt = 2
    """Number of experts of each task, which read the task's own embeddings."""
    stop_gradient: bool = True
    """Keep a task's loss from the experts and tables of the others, as the paper does; the
    scores at a given state of the model are the same either way."""

    @property
    @override
    def needs(self) -> Needs:
        return Needs(own_tables=True)

    def build(self, *, in_dim: int, n_tasks: int, generator: torch.Generator) -> "STEM":
        """Return the network with initial values drawn from `generator`."""
        return STEM(self, in_dim=in_dim, n_tasks=n_tasks, generator=generator)


class STEM(Architecture):
    """Every task mixes all experts and teaches its own and the shared ones."""

    gate_remedies: ClassVar[Remedies] = Remedies(
        dead="set model.architecture.n_experts or model.architecture.n_task_experts lower",
        polarised=None,
    )

    def __init__(
        self, config: STEMConfig, *, in_dim: int, n_tasks: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.config = config
        self.experts = config.build_experts(in_dim=in_dim, generator=generator)
        own = config.model_copy(update={"n_experts": config.n_task_experts})
        self.task_experts = nn.ModuleList(
            own.build_experts(in_dim=in_dim, generator=generator) for _ in range(n_tasks)
        )
        n_experts = n_tasks * config.n_task_experts + config.n_experts
        self.gates = nn.ModuleList(
            GateBank(in_dim, n_experts, n_gates=1, generator=generator) for _ in range(n_tasks)
        )
        is_own = torch.eye(n_tasks, dtype=torch.bool).repeat_interleave(config.n_task_experts, 1)
        self.register_buffer("is_own", is_own, persistent=False)
        self.out_dim = self.experts.out_dim

    is_own: Bool[Tensor, "T N"]

    @override
    def forward(self, x: Rows, extras: Extras = NO_EXTRAS) -> Float[Tensor, "B T H"]:
        by_task = _own_inputs(extras)
        weights_BTE = self._gates(x, by_task)
        n_own = self.is_own.shape[1]
        own_BNH = torch.cat(
            [experts(own) for experts, own in zip(self.task_experts, by_task, strict=True)], dim=1
        )
        others_BNH = own_BNH.detach() if self.config.stop_gradient else own_BNH
        weights_BTN = weights_BTE[:, :, :n_own]
        mixed = mix_experts(weights_BTE[:, :, n_own:], self.experts(x))
        mixed = mixed + mix_experts(weights_BTN * self.is_own, own_BNH)
        return mixed + mix_experts(weights_BTN * ~self.is_own, others_BNH)

    @override
    def shared_parameters(self) -> list[nn.Parameter]:
        if self.config.stop_gradient:
            return list(self.experts.parameters())
        return [*self.experts.parameters(), *self.task_experts.parameters()]

    @override
    @torch.no_grad()
    def gate_weights(self, x: Rows, extras: Extras = NO_EXTRAS) -> Float[Tensor, "B T E"]:
        """Return the weights of each task's experts, task by task, then of the shared ones."""
        return self._gates(x, _own_inputs(extras))

    def _gates(self, x: Rows, by_task: Float[Tensor, "T B D"]) -> Float[Tensor, "B T E"]:
        shared = whole_rows(x)
        logits = [gate(shared + own) for gate, own in zip(self.gates, by_task, strict=True)]
        return torch.cat(logits, dim=1).softmax(dim=2)


def _own_inputs(extras: Extras) -> Float[Tensor, "T B D"]:
    if extras.by_task is None:
        raise ValueError("`extras.by_task` must hold the inputs of each task's own, got None.")
    return extras.by_task

"""One level of customised gate control: experts of tasks and shared experts under gates.

Source: Tang et al., Progressive Layered Extraction (PLE), RecSys 2020, sections 4.1 and 4.2.
Order of the experts in the gate of a task: its own ones, then the shared ones. Order in the shared
gate: those of all tasks, task by task, then the shared ones. Gates are mixed as one product with a
weight of exactly zero for experts out of sight.
Shapes: B rows, D input width, T tasks, S streams (one per task, then the shared one), E experts,
    V experts a task sees, H expert width.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from typing_extensions import override

from paretorank.blocks.activations import Activation
from paretorank.blocks.expert_groups import ExpertGroups
from paretorank.blocks.gate_softmax import GateSoftmax
from paretorank.blocks.gates import GateBank, mix_experts
from paretorank.blocks.grouped_rows import GroupedRows, Rows
from paretorank.blocks.sight import spread_logits, weights_in_sight


class ExtractionLevel(nn.Module):
    """Maps one input, or the streams of the level below, to a stream per task and a shared one."""

    seen_by_task: Tensor

    def __init__(
        self,
        in_dim: int,
        hidden_dims: Sequence[int],
        *,
        n_tasks: int,
        n_task_experts: int,
        n_shared_experts: int,
        has_shared_gate: bool,
        softmax: GateSoftmax,
        generator: torch.Generator,
        activation: Activation = "relu",
        dropout_rate: float = 0.0,
    ) -> None:
        super().__init__()
        self.experts = ExpertGroups(
            in_dim,
            hidden_dims,
            n_groups=n_tasks,
            n_own=n_task_experts,
            n_shared=n_shared_experts,
            generator=generator,
            activation=activation,
            dropout_rate=dropout_rate,
        )
        n_seen, n_experts = n_task_experts + n_shared_experts, self.experts.n_experts
        self.task_gates = GateBank(in_dim, n_seen, n_gates=n_tasks, generator=generator)
        self.shared_gate = (
            GateBank(in_dim, n_experts, n_gates=1, generator=generator) if has_shared_gate else None
        )
        self.softmax = softmax
        own = torch.arange(n_tasks * n_task_experts).view(n_tasks, n_task_experts)
        shared = torch.arange(n_tasks * n_task_experts, n_experts).expand(n_tasks, -1)
        self.register_buffer("seen_by_task", torch.cat([own, shared], dim=1), persistent=False)
        self.n_tasks = n_tasks
        self.out_dim = self.experts.out_dim

    @override
    def forward(self, x: Rows | Float[Tensor, "S B D"]) -> Float[Tensor, "S2 B H"]:
        """Return the stream of every task and, with a shared gate, the shared one after them."""
        return mix_experts(*self.gated(x)).transpose(0, 1)

    def gated(
        self, x: Rows | Float[Tensor, "S B D"]
    ) -> tuple[Float[Tensor, "B G E"], Float[Tensor, "B E H"]]:
        """Return how the gates mix the experts, and the experts."""
        return self.softmax(self._logits(x)), self.experts(x)

    def task_weights(self, x: Rows | Float[Tensor, "S B D"]) -> Float[Tensor, "B T V"]:
        """Return the weights of each task's own experts, then of the shared ones."""
        weights: Tensor = self.softmax.plain(self._logits(x))[:, : self.n_tasks]
        return weights_in_sight(weights, self.seen_by_task)

    def _logits(self, x: Rows | Float[Tensor, "S B D"]) -> Float[Tensor, "B G E"]:
        """Return the logits of all gates; minus infinity for experts out of sight."""
        own, rest = _split_streams(x, self.n_tasks)
        by_task: Tensor = self.task_gates(own)
        logits = spread_logits(by_task, self.seen_by_task, self.experts.n_experts)
        if self.shared_gate is None:
            return logits
        return torch.cat([logits, self.shared_gate(rest)], dim=1)


def _split_streams(
    x: Rows | Float[Tensor, "S B D"], n_tasks: int
) -> tuple[Rows | Tensor, Rows | Tensor]:
    """Return what the gates of the tasks and what the shared gate reads."""
    if isinstance(x, GroupedRows) or x.ndim == 2:  # noqa: PLR2004 - a matrix
        return x, x
    return x[:n_tasks], x[n_tasks:]

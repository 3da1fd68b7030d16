"""ExcessMTL: weights go up where there is still much to gain, not where the noise is.

Source: He et al., Robust Multi-Task Learning with Excess Risks, ICML 2024, equations 6, 7 and 9.
The weights are those of TorchJD's `ExcessMTL`, which forgets everything where a task is absent.
Squared gradients are summed up at every element and for every task, so that there must be the same
elements in all steps: parameters. The first steps of a task only measure; without, the first step
of the authors' code may decide everything. Memory: as many numbers as tasks times elements.
Shapes: T tasks, P present tasks, N elements.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn
from typing_extensions import override

from paretorank.balancing.base import BalancedTasks
from paretorank.balancing.gradient_balancer import DirectionSection, JacobianBalancer

GUARD = 1e-20  # under a root: elements that never had a gradient


class ExcessMTLConfig(DirectionSection):
    """Hyper-parameters of ExcessMTL."""

    kind: Literal["excess_mtl"] = "excess_mtl"
    at: Literal["last_layer", "parameters"] = "last_layer"
    """Where gradients of single tasks are taken."""
    step_size: PositiveFloat = 1.0
    """Of the logarithms of weights, per excess risk relative to that of the first steps."""
    n_warmup_steps: PositiveInt = 100
    """Steps of a task in which weights stay equal; the paper uses three epochs."""

    @override
    def make(self, tasks: BalancedTasks) -> "ExcessMTL":
        return ExcessMTL(self, tasks.names)


class ExcessMTL(JacobianBalancer):
    """Descends a mean of gradients, weighed by estimates of what each task can still gain."""

    sums: Tensor
    """Squared gradients of each task, summed over its steps; without elements at first."""
    logits: Tensor
    baselines: Tensor
    n_updates: Tensor

    def __init__(self, config: ExcessMTLConfig, task_names: Sequence[str]) -> None:
        super().__init__(task_names, at=config.at)
        self.config = config
        n_tasks = len(self.task_names)
        self.register_buffer("sums", torch.zeros(n_tasks, 0))
        self.register_buffer("logits", torch.zeros(n_tasks, dtype=torch.float64))
        self.register_buffer("baselines", torch.zeros(n_tasks, dtype=torch.float64))
        self.register_buffer("n_updates", torch.zeros(n_tasks, dtype=torch.int64))
        self.register_load_state_dict_pre_hook(_make_room_)  # type: ignore[no-untyped-call]

    @override
    @torch.no_grad()
    def aggregate(
        self, jacobian: Float[Tensor, "P N"], tasks: Int[Tensor, " P"]
    ) -> Float[Tensor, " N"]:
        if self.sums.shape[1] != jacobian.shape[1]:
            self.sums = jacobian.new_zeros(len(self.task_names), jacobian.shape[1])
        squares = jacobian.square()
        self.sums[tasks] += squares
        excess = (squares / (self.sums[tasks] + GUARD).sqrt()).sum(dim=1).double()
        self._update(tasks, excess)
        return self.logits[tasks].softmax(dim=0).to(jacobian) @ jacobian

    def _update(self, tasks: Int[Tensor, " P"], excess: Float[Tensor, " P"]) -> None:
        n_warmup = self.config.n_warmup_steps
        is_measured = self.n_updates[tasks] < n_warmup
        shares = torch.where(is_measured, excess / n_warmup, 0.0)
        self.baselines[tasks] += shares.to(self.baselines)
        baselines = self.baselines[tasks].to(excess)
        relative = torch.where(baselines > 0, excess / baselines, 0.0)
        moves = torch.where(is_measured, 0.0, self.config.step_size * relative)
        self.logits[tasks] += moves.to(self.logits)
        self.n_updates[tasks] += 1


def _make_room_(module: nn.Module, state: Mapping[str, Any], prefix: str, *_: object) -> None:
    """Give the sums the shape of those that are about to be loaded."""
    saved = state.get(f"{prefix}sums")
    if isinstance(saved, Tensor):
        module.register_buffer(
            "sums", torch.empty_like(saved, device=module.get_buffer("logits").device)
        )

"""FAMO: all losses shall fall at the same relative rate.

Source: Liu et al., FAMO: Fast Adaptive Multitask Optimization, NeurIPS 2023, algorithm 1:
    total = c sum_k z_k log(L_k - b_k), z = softmax(logits), c = 1 / sum_k (z_k / (L_k - b_k));
    after the step the logits descend along (dz / dlogits)^T (log L_before - log L_after) by Adam.
We deviate: the logits and their Adam moments are buffers, one clock per task, so that a resumed run
goes on exactly and absent tasks stand still; z is a softmax over the present tasks.
Shapes: T tasks.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field, NonNegativeFloat
from torch import Tensor
from typing_extensions import override

from paretorank.balancing.adam import Moments
from paretorank.balancing.base import BalancedTasks, BalancerSection, LossBalancer, by_task

GUARD = 1e-8  # inside logarithms


class FAMOConfig(BalancerSection):
    """Hyper-parameters of FAMO."""

    kind: Literal["famo"] = "famo"
    learning_rate: NonNegativeFloat = 0.025
    """Of the logits; the paper uses 0.025."""
    weight_decay: NonNegativeFloat = 1e-3
    """Pull of the logits towards equal weights; the paper calls it gamma."""
    min_losses: Mapping[str, float] = Field(default_factory=dict)
    """Lower bound of each task's loss; 0 where not named."""

    @override
    def make(self, tasks: BalancedTasks) -> "FAMO":
        return FAMO(self, tasks.names)


class FAMO(LossBalancer):
    """Descends weighted log losses; tasks that improved less in the last step gain weight."""

    uses_losses_after_step: ClassVar[bool] = True
    min_losses: Tensor
    logits: Tensor
    first_moment: Tensor
    second_moment: Tensor
    n_updates: Tensor
    before: Tensor

    def __init__(self, config: FAMOConfig, task_names: Sequence[str]) -> None:
        super().__init__(task_names)
        self.config = config
        bounds = by_task(config.min_losses, self.task_names, key="min_losses", default=0.0)
        self.register_buffer("min_losses", bounds)
        for name in ("logits", "first_moment", "second_moment", "n_updates"):
            self.register_buffer(name, torch.zeros(len(bounds)))
        self.register_buffer("before", torch.full_like(bounds, torch.nan))

    @override
    def total(self, values: Float[Tensor, " T"], present: Bool[Tensor, " T"]) -> Float[Tensor, ""]:
        self.refuse_non_positive(values - self.min_losses)
        self.before = values.detach().clone()
        shifted = values[present] - self.min_losses[present] + GUARD
        weights = self.logits[present].softmax(dim=0)
        normalizer = (weights / shifted).sum().detach()
        return (weights / normalizer * shifted.log()).sum()

    @override
    @torch.no_grad()
    def after_step(self, values: Float[Tensor, " T"]) -> None:
        """Move the logits; a task counts if it was present before and after the step."""
        present = ~(values.isnan() | self.before.isnan())
        if not present.any():
            return
        old = (self.before - self.min_losses)[present] + GUARD
        new = (values - self.min_losses)[present] + GUARD
        progress = old.log() - new.log()
        weights = self.logits[present].softmax(dim=0)
        gradient = weights * (progress - (weights * progress).sum())
        self._adam_step(present, gradient + self.config.weight_decay * self.logits[present])

    def _adam_step(self, present: Bool[Tensor, " T"], gradient: Float[Tensor, " P"]) -> None:
        moments = Moments(
            self.first_moment[present], self.second_moment[present], self.n_updates[present]
        ).after(gradient)
        self.first_moment[present], self.second_moment[present] = moments.first, moments.second
        self.n_updates[present] = moments.n_updates
        self.logits[present] -= self.config.learning_rate * moments.direction()

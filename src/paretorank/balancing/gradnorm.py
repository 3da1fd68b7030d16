"""GradNorm: gradients get alike in length, longer for tasks that are behind.

Source: Chen et al., GradNorm: Gradient Normalization for Adaptive Loss Balancing in Deep Multitask
    Networks, ICML 2018, section 3, equations 1 and 2, algorithm 1: G_k is the length of the
    weighted gradient of task k, r_k its loss relative to its first one, over the mean of these;
    the weights descend sum_k |G_k - mean(G) r_k^alpha|, the target held constant, and are scaled
    to sum to T after each step. A step of the network uses the weights from before the update.
We deviate: (1) gradients are by default those at the last shared representation and not at the
weights that make it, because they cost next to nothing (one pass through the towers for all tasks
instead of one product per task); `at = "last_layer"` is the paper's place. (2) The first loss is a
mean over some steps, as one batch says little about rare labels. Models start at the base rates, so
this mean is the loss of the best constant; `initial_losses` replaces it, for instance by log C for
C classes. (3) Weights have a lower bound above 0. (4) An absent task keeps its weight, and the
weights of the others are scaled to sum to what they did.
Shapes: T tasks, P present tasks.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor
from typing_extensions import override

from paretorank.balancing.adam import Moments
from paretorank.balancing.base import BalancedTasks, by_task
from paretorank.balancing.gradient_balancer import (
    GramianBalancer,
    PeriodicSection,
    SeenGradients,
)
from paretorank.foundation.errors import TrainingError

SMALLEST_WEIGHT = 1e-3  # of a mean of 1; a weight of 0 would end a task, one below would invert it
SMALLEST_LOSS = 1e-12  # keeps ratios of losses finite for a task that is learned by heart


class GradNormConfig(PeriodicSection):
    """Hyper-parameters of GradNorm."""

    kind: Literal["gradnorm"] = "gradnorm"
    alpha: NonNegativeFloat = 1.5
    """How much longer gradients of tasks shall be that are behind; 0 makes all alike. The paper
    takes 1.5 for tasks that differ in kind and 0.12 for tasks that resemble each other."""
    optimizer: Literal["adam", "sgd"] = "adam"
    """What steps the weights. With sgd the lengths of gradients decide the size of a step."""
    learning_rate: PositiveFloat = 0.025
    """Of the weights; the paper uses 0.025."""
    initial_steps: PositiveInt = 20
    """The first loss of a task is its mean over so many steps with observed rows."""
    initial_losses: Mapping[str, PositiveFloat] = Field(default_factory=dict)
    """First losses that are known, by task: 0.693 is that of an undecided binary task."""

    @override
    def make(self, tasks: BalancedTasks) -> "GradNorm":
        return GradNorm(self, tasks.names)


class GradNorm(GramianBalancer):
    """Learns weights under which the gradients of all tasks have the lengths they should."""

    next_weights: Tensor
    """Those of the next step; `weights` are those of the last one."""
    known_losses: Tensor
    initial_sum: Tensor
    initial_count: Tensor
    first_moment: Tensor
    second_moment: Tensor
    n_updates: Tensor

    def __init__(self, config: GradNormConfig, task_names: Sequence[str]) -> None:
        super().__init__(task_names, at=config.at, every_steps=config.every_steps)
        self.config = config
        known = by_task(
            config.initial_losses, self.task_names, key="initial_losses", default=torch.nan
        )
        self.weights.fill_(1.0)
        self.register_buffer("next_weights", torch.ones_like(known))
        self.register_buffer("known_losses", known, persistent=False)
        for name in (
            "initial_sum",
            "initial_count",
            "first_moment",
            "second_moment",
            "n_updates",
        ):
            self.register_buffer(name, torch.zeros_like(known))

    @override
    def weigh(self, seen: SeenGradients) -> Float[Tensor, " P"]:
        self._refuse_negative(seen)
        weights = self.next_weights[seen.tasks].double()
        norms = seen.gramian.diagonal().clamp(min=0.0).sqrt()
        behind = seen.losses / self._initial(seen)
        ratio = behind / behind.mean().clamp(min=SMALLEST_LOSS)
        lengths = weights * norms
        target = lengths.mean() * ratio**self.config.alpha
        self._update(seen.tasks, weights, (lengths - target).sign() * norms)
        return weights

    def _initial(self, seen: SeenGradients) -> Float[Tensor, " P"]:
        """Return the first losses, of those seen so far while they are being taken."""
        tasks = seen.tasks
        is_early = self.initial_count[tasks] < self.config.initial_steps
        self.initial_sum[tasks] += torch.where(is_early, seen.losses, 0.0).to(self.initial_sum)
        self.initial_count[tasks] += is_early
        means = (self.initial_sum / self.initial_count)[tasks]
        known = self.known_losses[tasks]
        return torch.where(known.isnan(), means, known).double().clamp(min=SMALLEST_LOSS)

    def _update(
        self, tasks: Tensor, weights: Float[Tensor, " P"], gradient: Float[Tensor, " P"]
    ) -> None:
        if self.config.optimizer == "adam":
            moments = Moments(
                self.first_moment[tasks].double(),
                self.second_moment[tasks].double(),
                self.n_updates[tasks].double(),
            ).after(gradient)
            self.first_moment[tasks] = moments.first.to(self.first_moment)
            self.second_moment[tasks] = moments.second.to(self.second_moment)
            self.n_updates[tasks] = moments.n_updates.to(self.n_updates)
            gradient = moments.direction()
        moved = (weights - self.config.learning_rate * gradient).clamp(min=SMALLEST_WEIGHT)
        self.next_weights[tasks] = (moved * weights.sum() / moved.sum()).to(self.next_weights)

    def _refuse_negative(self, seen: SeenGradients) -> None:
        bad = (seen.losses < 0).nonzero().flatten().tolist()
        if bad:
            name = self.task_names[int(seen.tasks[bad[0]])]
            raise TrainingError(
                f"`gradnorm` compares losses with the first ones and needs them to be 0 or more, "
                f"got {float(seen.losses[bad[0]]):.6g} for task {name!r}.",
                hint='balancer.kind = "upgrad" or "equal" takes losses of any sign.',
            )

"""Dynamic task prioritisation: tasks that are still poor get more weight.

Source: Guo et al., Dynamic Task Prioritization for Multitask Learning, ECCV 2018: weight_k =
    -(1 - progress_k)^gamma log(progress_k), where progress_k, from 0 to 1, is a moving average of
    how well the task does.
Progress is measured against the predictor of base rates: 1 - loss / loss of the base rate. Models
of this package start at the base rates, so that the mean of a task's first losses is the loss of
that predictor; give `base_losses` where a run starts from trained weights. A task whose labels are
mostly noise never comes near a progress of 1 and would stay the most important for ever: `ceilings`
says what is achievable, and `max_weight` bounds what a task without progress gets.
We deviate: losses stand in for the paper's key performance indicators; progress moves once per
window in which the task had enough steps, so that absent tasks keep theirs; a weight has a lower
bound, because a task at its ceiling can still be forgotten; weights are divided by their mean.

When this, when `uncertainty`: they point in opposite directions. `uncertainty` gives the weight
1 / loss to every task, so that the noisy and the hard one counts little; right where labels differ
in noise or unit and one network should learn what can be learned. This one gives the task that
lags behind its ceiling the most; right where labels are about equally clean, all tasks matter and
one of them starves because easy ones dominate the shared layers.
Shapes: T tasks.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor
from typing_extensions import override

from paretorank.balancing.base import BalancedTasks, BalancerSection, LossBalancer, by_task
from paretorank.balancing.first_losses import FirstLosses

SMALLEST_PROGRESS = 1e-6  # keeps a logarithm finite; `max_weight` acts long before
SMALLEST_WEIGHT = 1e-3  # of a task at its ceiling: the sum of all weights may not vanish

Share = Annotated[float, Field(gt=0.0, le=1.0)]


class PrioritisationConfig(BalancerSection):
    """Hyper-parameters of dynamic task prioritisation."""

    kind: Literal["prioritisation"] = "prioritisation"
    gamma: NonNegativeFloat = 1.0
    """Larger takes more weight from tasks that do well; 0 is the logarithm alone, the paper
    uses 0 to 2."""
    max_weight: Annotated[float, Field(gt=SMALLEST_WEIGHT)] = 4.0
    """Largest weight before the weights are divided by their mean: that of a progress of about
    0.02."""
    ceilings: Mapping[str, Share] = Field(default_factory=dict)
    """Largest progress that is thought achievable per task; 1 where not named."""
    base_losses: Mapping[str, PositiveFloat] = Field(default_factory=dict)
    """Loss of the base rate per task; estimated from the first losses where not named."""
    base_steps: PositiveInt = 20
    """First steps with a task in them whose mean loss is that of its base rate."""
    window_steps: PositiveInt = 50
    """Steps with a task in them whose mean loss measures its progress once."""
    newest_share: Share = 0.05
    """How much the newest window counts in the moving average of the progress."""
    mean_is_one: bool = True
    """Divide the weights by their mean over the present tasks."""

    @override
    def make(self, tasks: BalancedTasks) -> "Prioritisation":
        return Prioritisation(
            self,
            tasks.names,
            ceilings=by_task(self.ceilings, tasks.names, key="ceilings", default=1.0),
            base_losses=by_task(
                self.base_losses, tasks.names, key="base_losses", default=float("nan")
            ),
        )


class Prioritisation(LossBalancer):
    """Weighs each loss by how little it has fallen below that of the base rate."""

    ceilings: Tensor
    base_losses: Tensor
    progress: Tensor
    window_sum: Tensor
    window_count: Tensor

    def __init__(
        self,
        config: PrioritisationConfig,
        task_names: Sequence[str],
        *,
        ceilings: Float[Tensor, " T"],
        base_losses: Float[Tensor, " T"],
    ) -> None:
        super().__init__(task_names)
        self.config = config
        self.first = FirstLosses(len(ceilings), n_steps=config.base_steps)
        self.register_buffer("ceilings", ceilings)
        self.register_buffer("base_losses", base_losses)
        self.register_buffer("progress", torch.full_like(ceilings, torch.nan))
        self.register_buffer("window_sum", torch.zeros_like(ceilings))
        self.register_buffer("window_count", torch.zeros_like(ceilings))

    @override
    def total(self, values: Float[Tensor, " T"], present: Bool[Tensor, " T"]) -> Float[Tensor, ""]:
        weights = self.weights()[present]
        if self.config.mean_is_one:
            weights = weights / weights.mean()
        self._record(values.detach(), present)
        return (weights * values[present]).sum()

    def weights(self) -> Float[Tensor, " T"]:
        """Return the weights of all tasks; a task without a window yet has made no progress."""
        weights = priority(self.progress.nan_to_num(nan=0.0), gamma=self.config.gamma)
        return weights.clamp(SMALLEST_WEIGHT, self.config.max_weight)

    def _record(self, values: Float[Tensor, " T"], present: Bool[Tensor, " T"]) -> None:
        learning_base = self.first.waiting(present & self.base_losses.isnan())
        self.refuse_non_positive(torch.where(learning_base, values, torch.nan))
        self.first.record(values, learning_base)
        measured = present & ~learning_base
        self.window_sum += torch.where(measured, values, 0.0)
        self.window_count += measured
        self._close(self.window_count >= self.config.window_steps)

    def _close(self, full: Bool[Tensor, " T"]) -> None:
        base = torch.where(self.base_losses.isnan(), self.first.mean(), self.base_losses)
        gained = 1 - self.window_sum / self.window_count / base
        newest = (gained / self.ceilings).clamp(0.0, 1.0)
        before = torch.where(self.progress.isnan(), newest, self.progress)
        moved = before.lerp(newest, self.config.newest_share)
        self.progress = torch.where(full, moved, self.progress)
        self.window_sum = torch.where(full, 0.0, self.window_sum)
        self.window_count = torch.where(full, 0.0, self.window_count)


def priority(progress: Float[Tensor, " T"], *, gamma: float) -> Float[Tensor, " T"]:
    """Return the weights of tasks by their progress: 0 at a progress of 1, large near 0."""
    return -((1 - progress) ** gamma) * progress.clamp(min=SMALLEST_PROGRESS).log()

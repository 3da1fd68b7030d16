"""One model for every trade-off: each step draws a preference, which weighs the losses.

Source: Navon et al., Learning the Pareto Front with Hypernetworks, ICLR 2021, algorithm 1 (a
    preference per step from a Dirichlet distribution; linear); Ruchte and Grabocka, Scalable Pareto
    Front Approximation for Deep Multi-Objective Learning, ICDM 2021, section IV (cosine); Lin et
    al., Smooth Tchebycheff Scalarization for Multi-Objective Optimization, ICML 2024, section 3.
The arithmetic of the three scalarisations is that of TorchJD 0.18, `torchjd.scalarization`.
The model reads the preference, see `model.preference`. Here r . L falls with large r_k L_k, so more
preference means less loss; the cosine of COSMOS pulls the other way, towards losses in proportion
to r, and must stay small. Loss divided by what it was in the first steps makes preferences mean the
same for losses of every scale. Preferences are a function of a seed and the count of steps, so that
a resumed run repeats them. The share of an absent task is not given to others.
Shapes: T tasks, P present tasks.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor
from torchjd import scalarization
from torchjd.scalarization import Scalarizer
from typing_extensions import override

from paretorank.balancing.base import BalancedTasks, BalancerSection, LossBalancer, by_task
from paretorank.balancing.random_weights import LARGEST_SEED
from paretorank.foundation.seeds import named_generator

SMALLEST_SCALE = 1e-8  # of a loss that begins at 0: dividing by it must stay finite


class PreferenceConfig(BalancerSection):
    """How preferences are drawn, and what they do to the losses; needs `model.preference`."""

    kind: Literal["preference"] = "preference"
    scalarisation: Literal["linear", "cosmos", "tchebycheff"] = "linear"
    """`linear` is the sum of r L and reaches the convex part of a front; `cosmos` adds a cosine
    that spreads the points; `tchebycheff` is the smooth largest r (L - reference)."""
    alpha: PositiveFloat = 1.0
    """Of the Dirichlet distribution: 1 is uniform over all preferences, less is nearer to single
    tasks (PHN uses 0.2, MultiTRON 0.5)."""
    cosine_penalty: NonNegativeFloat = 0.01
    """Of `cosmos`; the paper uses 0.01 to 8. Large ones make a preferred loss larger."""
    mu: PositiveFloat = 0.1
    """Smoothness of `tchebycheff`: small is near the maximum; the paper tries 0.01 to 1."""
    reference: Mapping[str, float] = Field(default_factory=dict)
    """Best loss that is thought possible per task, for `tchebycheff`; 0 where not named."""
    normalise: bool = True
    """Divide each loss, and its reference, by the mean size of the loss in its first steps."""
    initial_steps: PositiveInt = 100
    """Steps of a task whose losses make up that mean."""

    @override
    def make(self, tasks: BalancedTasks) -> "PreferenceDraws":
        seed = int(torch.randint(LARGEST_SEED, (), generator=tasks.generator))
        return PreferenceDraws(self, tasks.names, seed=seed)


class PreferenceDraws(LossBalancer):
    """Scalarises the losses by the preference that was drawn last; evenly before the first one."""

    seed: Tensor
    n_calls: Tensor
    preference: Tensor
    reference: Tensor
    initial_sum: Tensor
    initial_count: Tensor

    def __init__(self, config: PreferenceConfig, task_names: Sequence[str], *, seed: int) -> None:
        super().__init__(task_names)
        self.config = config
        n_tasks = len(self.task_names)
        reference = by_task(config.reference, self.task_names, key="reference", default=0.0)
        even = torch.full((n_tasks,), 1.0 / n_tasks)
        self.register_buffer("reference", reference, persistent=False)
        self.register_buffer("preference", even, persistent=False)
        self.register_buffer("seed", torch.tensor(seed))
        self.register_buffer("n_calls", torch.tensor(0))
        self.register_buffer("initial_sum", torch.zeros(n_tasks))
        self.register_buffer("initial_count", torch.zeros(n_tasks))

    @override
    def draw_preference(self) -> Float[Tensor, " T"]:
        generator = named_generator(int(self.seed), "preference", int(self.n_calls))
        drawn = generator.dirichlet([self.config.alpha] * len(self.task_names))
        self.n_calls += 1
        self.preference = torch.from_numpy(drawn).to(self.preference)
        return self.preference

    @override
    def total(self, values: Float[Tensor, " T"], present: Bool[Tensor, " T"]) -> Float[Tensor, ""]:
        scale = self._scale(values.detach(), present)
        scalarizer = self._scalarizer(
            self.preference.to(values)[present], (self.reference.to(values) / scale)[present]
        )
        total: Tensor = scalarizer(values[present] / scale[present])
        return total

    def _scale(self, values: Float[Tensor, " T"], present: Bool[Tensor, " T"]) -> Tensor:
        """Return the size of each loss in its first steps before this one; then count this one."""
        if not self.config.normalise:
            return torch.ones_like(values)
        sizes = torch.where(present, values.abs(), 0.0)
        before = self.initial_sum / self.initial_count
        scale = torch.where(self.initial_count > 0, before.to(values), sizes)
        is_counted = present & (self.initial_count < self.config.initial_steps)
        self.initial_sum += torch.where(is_counted, sizes, 0.0)
        self.initial_count += is_counted
        return scale.clamp(min=SMALLEST_SCALE)

    def _scalarizer(
        self, weights: Float[Tensor, " P"], reference: Float[Tensor, " P"]
    ) -> Scalarizer:
        match self.config.scalarisation:
            case "linear":
                return scalarization.Constant(weights)
            case "cosmos":
                return scalarization.COSMOS(self.config.cosine_penalty, weights)
            case "tchebycheff":
                return scalarization.STCH(self.config.mu, weights, reference)

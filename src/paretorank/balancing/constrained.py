"""Constraints on losses: descend some tasks as long as others stay below a limit.

Source: Arrow, Hurwicz, Uzawa, Studies in Linear and Non-Linear Programming, 1958: projected dual
    ascent on multipliers; with the limit as the level of an objective it is the epsilon-constraint
    method of Haimes, Lasdon, Wismer, IEEE Transactions on Systems, Man, and Cybernetics 1, 1971.
minimize sum of w_k L_k over the free tasks, such that L_j <= x_j for each limited task j.
We deviate: losses of batches are noisy, so the multiplier follows their moving mean; a term in
proportion to the violation damps the circling of plain dual ascent and vanishes at the limit.
Shapes: T tasks.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor
from typing_extensions import override

from paretorank.balancing.base import BalancedTasks, BalancerSection, LossBalancer, by_task
from paretorank.foundation.errors import ConfigError


class ConstrainedConfig(BalancerSection):
    """Hyper-parameters of constraints on losses."""

    kind: Literal["constrained"] = "constrained"
    at_most: Mapping[str, float] = Field(default_factory=dict)
    """Limit of the loss of each task that has one, in the units of that loss."""
    weights: Mapping[str, NonNegativeFloat] = Field(default_factory=dict)
    """Weight of each free task; 1 where not named."""
    learning_rate: PositiveFloat = 0.01
    """By how much a multiplier rises per step if the loss is twice its limit."""
    damping: NonNegativeFloat = 1.0
    """Weight that is added while the loss is twice its limit; 0 is plain dual ascent."""
    first_multiplier: NonNegativeFloat = 1.0
    """Weight with which a limited task begins."""
    max_multiplier: PositiveFloat = 100.0
    """Largest weight of a limited task; it is reached if the limit cannot be met."""
    window_steps: PositiveInt = 20
    """Steps over which losses are averaged before they are compared to their limits."""

    @override
    def make(self, tasks: BalancedTasks) -> "Constrained":
        return Constrained(self, tasks.names)


class Constrained(LossBalancer):
    """Weighs free tasks as told, and limited tasks as much as their limits need."""

    limits: Tensor
    is_limited: Tensor
    free_weights: Tensor
    multipliers: Tensor
    """Of the limited tasks; 0 elsewhere."""
    means: Tensor
    """Moving means of the losses; NaN before the first."""

    def __init__(self, config: ConstrainedConfig, task_names: Sequence[str]) -> None:
        super().__init__(task_names)
        self.config = config
        limits = by_task(config.at_most, self.task_names, key="at_most", default=torch.inf)
        self.register_buffer("limits", limits, persistent=False)
        self.register_buffer("is_limited", limits.isfinite(), persistent=False)
        if bool(self.is_limited.all()):
            raise ConfigError(
                "`balancer.at_most` must leave at least one task without a limit, "
                f"got limits for all of {', '.join(self.task_names)}.",
                hint="What should be as low as possible while the others keep their limits?",
            )
        for name in config.weights:
            if name in config.at_most:
                raise ConfigError(
                    f"`balancer.weights` must name free tasks, got {name!r}, which has a limit.",
                    hint="A limited task is weighed by its multiplier.",
                )
        free = by_task(config.weights, self.task_names, key="weights", default=1.0)
        free = torch.where(self.is_limited, 0.0, free)
        self.register_buffer("free_weights", free, persistent=False)
        start = min(config.first_multiplier, config.max_multiplier)
        self.register_buffer("multipliers", torch.where(self.is_limited, start, 0.0))
        self.register_buffer("means", torch.full_like(limits, torch.nan))

    @override
    def total(self, values: Float[Tensor, " T"], present: Bool[Tensor, " T"]) -> Float[Tensor, ""]:
        weights = self.weights().to(values)
        self._record(values.detach(), present)
        return (weights[present] * values[present]).sum()

    def weights(self) -> Float[Tensor, " T"]:
        """Return the weights of all tasks in the next step."""
        damped = self.multipliers + self.config.damping * self._violations()
        damped = damped.clamp(0.0, self.config.max_multiplier)
        return torch.where(self.is_limited, damped, self.free_weights)

    def _violations(self) -> Float[Tensor, " T"]:
        """Return how far each mean is above its limit, relative to the limit; 0 without one."""
        size = torch.where(self.limits == 0, 1.0, self.limits.abs())
        return torch.where(self.is_limited, (self.means - self.limits) / size, 0.0).nan_to_num(0.0)

    def _record(self, values: Float[Tensor, " T"], present: Bool[Tensor, " T"]) -> None:
        """Move the means and the multipliers of the present tasks."""
        before = torch.where(self.means.isnan(), values, self.means)
        moved = before + (values - before) / self.config.window_steps
        self.means = torch.where(present, moved, self.means)
        raised = self.multipliers + self.config.learning_rate * self._violations()
        raised = raised.clamp(0.0, self.config.max_multiplier)
        self.multipliers = torch.where(present & self.is_limited, raised, self.multipliers)

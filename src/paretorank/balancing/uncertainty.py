"""Uncertainty weighting for tasks of mixed kinds: each loss is divided by a learned variance.

Source: Kendall, Gal, Cipolla, Multi-Task Learning Using Uncertainty to Weigh Losses for Scene
    Geometry and Semantics, CVPR 2018, section 3.2, equations 7 to 10, in the log-variance form
    total = sum_k c_k exp(-s_k) L_k + s_k / 2.
c_k is 1/2 for squared errors and 1 for cross-entropies and full likelihoods; libraries often take
one factor for all. At the optimum s_k = log(2 c_k L_k) every task has weight 1 / (2 L_k).
We deviate: (1) s starts at the optimum for the first loss seen, because Adam needs thousands of
steps to walk there from 0 when a loss is in seconds; (2) s has a soft lower bound, because a task
that is learned by heart would otherwise get an unbounded weight; (3) s of an absent task stands
still, although the term s / 2 alone would pull at it. The total may be negative: it is no measure
of success.
The form "revised" is described in `uncertainty_revised`.
Shapes: T tasks.
"""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from typing_extensions import override

from paretorank.balancing.base import BalancedTasks, BalancerSection, LossBalancer
from paretorank.balancing.soft_bound import before_soft_lower_bound, soft_lower_bound
from paretorank.balancing.uncertainty_revised import RevisedUncertainty

SMALLEST_LOSS = 1e-12  # keeps the logarithm of a start finite; the lower bound acts long before


class UncertaintyConfig(BalancerSection):
    """Hyper-parameters of uncertainty weighting."""

    kind: Literal["uncertainty"] = "uncertainty"
    form: Literal["log_variance", "revised"] = "log_variance"
    """log_variance: Kendall et al., at the optimum a weight of 1 / (2 loss); revised: Liebel and
    Körner, never negative, gentler on small losses."""
    lower_bound: float = -6.0
    """Smallest log variance: -6 bounds the weights at exp(6) = 403 times c."""
    starts_at_data: bool = True
    """Start each variance at the optimum for the task's first loss instead of at 1."""

    @override
    def make(self, tasks: BalancedTasks) -> LossBalancer:
        form = RevisedUncertainty if self.form == "revised" else Uncertainty
        return form(
            tasks.names,
            tasks.balance_factors,
            lower_bound=self.lower_bound,
            starts_at_data=self.starts_at_data,
        )


class Uncertainty(LossBalancer):
    """Divides each loss by a learned variance and charges for the logarithm of the variance."""

    balance_factors: Tensor
    has_started: Tensor

    def __init__(
        self,
        task_names: Sequence[str],
        balance_factors: Float[Tensor, " T"],
        *,
        lower_bound: float = -6.0,
        starts_at_data: bool = True,
    ) -> None:
        super().__init__(task_names)
        self.lower_bound = lower_bound
        # One parameter per task: the gradient of an absent task stays None and optimizers with
        # momentum skip it, which a zero in a vector would not make them do.
        self.log_variances = nn.ParameterList(
            nn.Parameter(torch.zeros(())) for _ in self.task_names
        )
        self.register_buffer("balance_factors", balance_factors.clone())
        started = torch.full((len(self.task_names),), not starts_at_data)
        self.register_buffer("has_started", started)

    @override
    def total(self, values: Float[Tensor, " T"], present: Bool[Tensor, " T"]) -> Float[Tensor, ""]:
        self._start(values.detach(), present)
        tasks = present.nonzero().flatten().tolist()
        s = torch.stack(
            [soft_lower_bound(self.log_variances[task], self.lower_bound) for task in tasks]
        )
        return (self.balance_factors[present] * (-s).exp() * values[present] + 0.5 * s).sum()

    @torch.no_grad()
    def _start(self, values: Float[Tensor, " T"], present: Bool[Tensor, " T"]) -> None:
        for task in (present & ~self.has_started).nonzero().flatten().tolist():
            scaled = 2 * float(self.balance_factors[task]) * float(values[task])
            optimum = math.log(max(scaled, SMALLEST_LOSS))
            self.log_variances[task].fill_(before_soft_lower_bound(optimum, self.lower_bound))
            self.has_started[task] = True

"""Uncertainty weighting with a positive regulariser.

Source: Liebel and Körner, Auxiliary Tasks in Multi-task Learning, arXiv 1805.06334, 2018,
    section 3, equation 3: total = sum_k c_k L_k / sigma_k^2 + ln(1 + sigma_k^2).
The paper has c = 1/2 for all tasks; we take it from the likelihood, as in `uncertainty`. The start
at the optimum for the first loss, sigma^2 = (c L + sqrt(c^2 L^2 + 4 c L)) / 2, and the soft lower
bound of the log variance are ours too: sigma, which has no sign, may not divide by zero on its way
through it. For small losses the weight tends to sqrt(c / L), for large ones to 1 / L.
Shapes: T tasks.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from typing_extensions import override

from paretorank.balancing.base import LossBalancer
from paretorank.balancing.soft_bound import before_soft_lower_bound, soft_lower_bound

SMALLEST_VARIANCE = 1e-12  # keeps the gradient of a logarithm finite if sigma is exactly 0


class RevisedUncertainty(LossBalancer):
    """Divides each loss by a learned variance and charges a fee that is never negative."""

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
        # One parameter per task, so that optimizers with momentum skip absent tasks.
        self.sigmas = nn.ParameterList(nn.Parameter(torch.ones(())) for _ in self.task_names)
        self.register_buffer("balance_factors", balance_factors.clone())
        started = torch.full((len(self.task_names),), not starts_at_data)
        self.register_buffer("has_started", started)

    @override
    def total(self, values: Float[Tensor, " T"], present: Bool[Tensor, " T"]) -> Float[Tensor, ""]:
        self._start(values.detach(), present)
        tasks = present.nonzero().flatten().tolist()
        variance = torch.stack([self._variance(self.sigmas[task]) for task in tasks])
        return (self.balance_factors[present] * values[present] / variance + variance.log1p()).sum()

    def _variance(self, sigma: Float[Tensor, ""]) -> Float[Tensor, ""]:
        log_variance = (sigma.square() + SMALLEST_VARIANCE).log()
        return soft_lower_bound(log_variance, self.lower_bound).exp()

    @torch.no_grad()
    def _start(self, values: Float[Tensor, " T"], present: Bool[Tensor, " T"]) -> None:
        for task in (present & ~self.has_started).nonzero().flatten().tolist():
            scaled = max(float(self.balance_factors[task]) * float(values[task]), SMALLEST_VARIANCE)
            optimum = (scaled + math.sqrt(scaled**2 + 4 * scaled)) / 2
            log_variance = before_soft_lower_bound(math.log(optimum), self.lower_bound)
            self.sigmas[task].fill_(math.exp(log_variance / 2))
            self.has_started[task] = True

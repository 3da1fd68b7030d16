"""Exact Pareto optimal (EPO) search: descend to the point of the front that a preference asks for.

Source: Mahapatra, Rajan, Multi-Task Learning with User Preferences: Gradient Descent with
    Controlled Ascent in Pareto Optimization, ICML 2020, section 4 and algorithm 1: losses L with a
    preference r shall end where r_1 L_1 = ... = r_T L_T. A linear program balances while they are
    apart and descends when they are not.
We deviate: the weights sum to 1, where the paper multiplies the direction by T; where every mix of
gradients leads away from the preference, all losses descend (`escapes_single_optima`).
Shapes: T tasks, P present tasks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from pydantic import Field, PositiveFloat
from scipy.optimize import linprog
from torch import Tensor
from typing_extensions import override

from paretorank.balancing.base import BalancedTasks, by_task
from paretorank.balancing.gradient_balancer import (
    GramianBalancer,
    PeriodicSection,
    SeenGradients,
)
from paretorank.balancing.min_norm import min_norm_weights
from paretorank.foundation.errors import TrainingError

BALANCED = 1e-4  # divergence from uniform below which all losses descend; of the authors' code
SAME = 1e-9  # relative difference between weighted losses that makes both the worst


class EPOConfig(PeriodicSection):
    """Hyper-parameters of EPO search."""

    kind: Literal["epo"] = "epo"
    preference: Mapping[str, PositiveFloat] = Field(default_factory=dict)
    """By what each loss is multiplied; the products shall be equal at the end. 1 where not named;
    twice the number asks for half the loss."""
    escapes_single_optima: bool = True
    """Whether all losses descend where no mix of gradients brings the losses nearer to the
    preference. The paper descends what harms least there, which may be one task alone: at its
    optimum, its gradient vanishes, and the search stands still."""

    @override
    def make(self, tasks: BalancedTasks) -> "EPO":
        return EPO(self, tasks.names)


class EPO(GramianBalancer):
    """Brings the losses into the proportions that the preference asks for, then descends all."""

    def __init__(self, config: EPOConfig, task_names: Sequence[str]) -> None:
        super().__init__(task_names, at=config.at, every_steps=config.every_steps)
        self.config = config
        self.preference = by_task(config.preference, self.task_names, key="preference", default=1.0)

    @override
    def weigh(self, seen: SeenGradients) -> Float[Tensor, " P"]:
        if not bool((seen.losses > 0).all()):
            raise TrainingError(
                f"EPO needs losses above 0, got {seen.losses.tolist()}.",
                hint='balancer.kind = "pe_ltr" with balancer.bounds takes losses of any sign.',
            )
        preference = self.preference.to(seen.losses)[seen.tasks]
        shares = preference / preference.sum()
        return epo_weights(
            seen.gramian, seen.losses, shares, escapes=self.config.escapes_single_optima
        )


@dataclass(frozen=True)
class Imbalance:
    """How far the weighted losses are apart, and in which direction they meet."""

    divergence: float
    """Of the shares r_k L_k / sum_j r_j L_j from uniform, in nats; 0 at the preference."""
    adjustments: Float64[np.ndarray, " T"]
    """Weights along whose mix of gradients the divergence falls fastest."""
    is_worst: Bool[np.ndarray, " T"]
    """Whether the weighted loss is the largest."""


def epo_weights(
    gramian: Float[Tensor, "T T"],
    losses: Float[Tensor, " T"],
    preference: Float[Tensor, " T"],
    *,
    escapes: bool = False,
) -> Float64[Tensor, " T"]:
    """Return the weights of the simplex of the next step; `escapes` as in `EPOConfig`.

    Raises:
        ValueError: A loss or a preference is not above 0, or the Gramian is not finite.
    """
    if not gramian.isfinite().all():
        raise ValueError("`gramian` must be finite.")
    products = gramian.detach().double().cpu().numpy()
    found = imbalance(losses, preference)
    if escapes and not bool((products @ found.adjustments > 0).any()):
        found = replace(found, divergence=0.0)  # as if balanced: all losses descend
    gain, least = program(products, found)
    lengths = np.sqrt(np.maximum(products.diagonal(), np.finfo(np.float64).tiny))
    units = lengths * lengths.max()  # the solver's tolerances are absolute
    rows = np.isfinite(least)
    solved = linprog(
        -gain / max(np.abs(gain).max(), np.finfo(np.float64).tiny),
        A_ub=-(products / units[:, None])[rows],
        b_ub=-(least / units)[rows],
        A_eq=np.ones((1, len(gain))),
        b_eq=[1.0],
    )
    if solved.x is None:  # rounding left no room between the constraints
        return min_norm_weights(gramian)
    weights = np.maximum(solved.x, 0.0)
    return torch.from_numpy(weights / weights.sum()).to(gramian.device)


def imbalance(losses: Float[Tensor, " T"], preference: Float[Tensor, " T"]) -> Imbalance:
    """Return how uneven r_k L_k are.

    Raises:
        ValueError: A loss or a preference is not above 0.
    """
    weighted = (losses.detach().double() * preference.double()).cpu().numpy()
    if not bool((losses > 0).all() and (preference > 0).all()):
        raise ValueError("`losses` and `preference` must be above 0.")
    ratios = weighted / weighted.mean()
    divergence = float((ratios * np.log(ratios)).mean())
    adjustments = preference.double().cpu().numpy() * (np.log(ratios) - divergence)
    return Imbalance(divergence, adjustments, weighted >= weighted.max() * (1.0 - SAME))


def program(
    products: Float64[np.ndarray, "T T"], found: Imbalance
) -> tuple[Float64[np.ndarray, " T"], Float64[np.ndarray, " T"]]:
    """Return the gain of each weight and the least slope (M w)_k of each loss, or -inf for none."""
    nothing = np.zeros(len(products))
    if found.divergence <= BALANCED:
        return products.sum(axis=0), nothing
    slopes = products @ found.adjustments
    if not (slopes > 0).any():
        return slopes, nothing
    least = np.where(slopes > 0, -np.inf, slopes)
    return slopes, np.where(found.is_worst, 0.0, least)

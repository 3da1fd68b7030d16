"""Rules that choose one point of a front.

Sources: Lin et al., A Pareto-Efficient Algorithm for Multiple Objective Optimization in E-Commerce
    Recommendation, RecSys 2019, section 3.3 (least misery); Das, On Characterizing the "Knee" of
    the Pareto Curve, Structural Optimization 1999 (distance to the plane through the extremes);
    Haimes et al., IEEE Transactions on Systems, Man, and Cybernetics 1971 (epsilon-constraint).
Costs are what less is better of. Where a rule says normalised, the best point of every objective
on the front is 0 and the worst 1.
Shapes: N points, K objectives.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from paretorank.pareto.dominance import non_dominated


def normalised(costs: Float[np.ndarray, "N K"]) -> Float[np.ndarray, "N K"]:
    """Return costs in units of the range of the front; 0 where it has none."""
    front = costs[non_dominated(costs)]
    if not len(front):
        return np.full_like(costs, np.nan)
    ideal, spread = front.min(axis=0), np.ptp(front, axis=0)
    return np.where(spread > 0, (costs - ideal) / np.where(spread > 0, spread, 1.0), 0.0)


def least_misery(costs: Float[np.ndarray, "N K"], *, is_normalised: bool = True) -> int | None:
    """Return the point whose worst objective is the least bad; None if there is no point."""
    scaled = normalised(costs) if is_normalised else costs
    return _first_smallest(scaled.max(axis=1), costs)


def weighted_sum(
    costs: Float[np.ndarray, "N K"], weights: Float[np.ndarray, " K"], *, is_normalised: bool = True
) -> int | None:
    """Return the point with the smallest weighted sum."""
    scaled = normalised(costs) if is_normalised else costs
    return _first_smallest(scaled @ weights, costs)


def chebyshev(
    costs: Float[np.ndarray, "N K"], weights: Float[np.ndarray, " K"], *, is_normalised: bool = True
) -> int | None:
    """Return the point whose largest weighted distance from the ideal is the smallest."""
    front = costs[non_dominated(costs)]
    if not len(front):
        return None
    away = normalised(costs) if is_normalised else costs - front.min(axis=0)
    return _first_smallest((weights * away).max(axis=1), costs)


def knee(costs: Float[np.ndarray, "N K"]) -> int | None:
    """Return the point that lies deepest below the plane through the extremes of the front.

    None with fewer than K different extremes: there is no plane then.
    """
    scaled = normalised(costs)
    kept = np.flatnonzero(non_dominated(costs))
    n_objectives = costs.shape[1]
    if len(kept) < n_objectives:
        return None
    corners = {int(kept[np.lexsort(_best_first(scaled[kept], k))[0]]) for k in range(n_objectives)}
    if len(corners) < n_objectives:
        return None
    plane = scaled[sorted(corners)]
    # The normal of the plane through the corners: plane @ normal = 1, or as near as can be.
    normal = np.linalg.lstsq(plane, np.ones(n_objectives), rcond=None)[0]
    depth = scaled @ normal / np.linalg.norm(normal)
    return _first_smallest(depth, costs)


def within(
    costs: Float[np.ndarray, "N K"], minimise: int, at_most: Mapping[int, float]
) -> int | None:
    """Return the cheapest point in one objective among those that keep all bounds; None if none."""
    allowed = np.ones(len(costs), bool)
    for objective, bound in at_most.items():
        allowed &= costs[:, objective] <= bound
    return _first_smallest(np.where(allowed, costs[:, minimise], np.nan), costs)


def _best_first(scaled: Float[np.ndarray, "N K"], objective: int) -> tuple[np.ndarray, ...]:
    """Return keys that sort by one objective, ties by the sum of all."""
    return scaled.sum(axis=1), scaled[:, objective]


def _first_smallest(values: Float[np.ndarray, " N"], costs: Float[np.ndarray, "N K"]) -> int | None:
    """Return the non-dominated point with the smallest value."""
    usable = non_dominated(costs) & ~np.isnan(values)
    if not usable.any():
        return None
    return int(np.where(usable, values, np.inf).argmin())

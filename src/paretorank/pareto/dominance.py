"""Which points are beaten by none.

Source: Deb et al., A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II, IEEE Transactions
    on Evolutionary Computation 2002, section III.A.
Shapes: N points, K objectives.
"""

import numpy as np
from jaxtyping import Bool, Float, Int


def dominates(
    better: Float[np.ndarray, " K"], costs: Float[np.ndarray, "N K"]
) -> Bool[np.ndarray, " N"]:
    """Return which points cost no less in anything, and more in something, than one point."""
    beaten: np.ndarray = np.all(costs >= better, axis=1) & np.any(costs > better, axis=1)
    return beaten


def non_dominated(costs: Float[np.ndarray, "N K"]) -> Bool[np.ndarray, " N"]:
    """Return which points no other point dominates; equal points do not dominate each other.

    A point with NaN is never among them, and beats none.
    """
    known = ~np.isnan(costs).any(axis=1)
    kept = known.copy()
    for at in np.flatnonzero(known):
        if kept[at]:
            kept &= ~dominates(costs[at], np.where(known[:, None], costs, np.inf))
    return kept


def ranks(costs: Float[np.ndarray, "N K"]) -> Int[np.ndarray, " N"]:
    """Return 0 for the non-dominated points, 1 for those of the rest, and so on; -1 for NaN."""
    found = np.full(len(costs), -1)
    waiting = ~np.isnan(costs).any(axis=1)
    rank = 0
    while waiting.any():
        here = non_dominated(np.where(waiting[:, None], costs, np.nan))
        found[here] = rank
        waiting &= ~here
        rank += 1
    return found

"""Shares on a regular grid.

Source: Scheffé, Experiments with Mixtures, Journal of the Royal Statistical Society B 1958
    (simplex lattice).
Shapes: N points, K parts.
"""

import itertools
import math

import numpy as np
from jaxtyping import Float


def simplex_lattice(n_parts: int, n_points: int) -> Float[np.ndarray, "N K"]:
    """Return the finest regular grid of at most `n_points` shares that sum to 1.

    The corners are always there, be they more. The first share falls from 1 to 0.
    """
    n_steps = 1
    while n_parts > 1 and math.comb(n_steps + n_parts, n_parts - 1) <= n_points:
        n_steps += 1
    places = itertools.combinations_with_replacement(range(n_parts), n_steps)
    counts = [np.bincount(place, minlength=n_parts) for place in places]
    return np.array(counts, dtype=np.float64) / n_steps

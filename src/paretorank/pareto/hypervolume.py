"""How much a front covers, from a stated reference point.

Source: Zitzler and Thiele, Multiobjective Optimization Using Evolutionary Algorithms: A Comparative
    Case Study, PPSN 1998, section 3. The volume is computed by moocore.
Shapes: N points, K objectives.
"""

from importlib.util import find_spec

import numpy as np
from jaxtyping import Float

from paretorank.foundation.errors import ConfigError


def hypervolume(costs: Float[np.ndarray, "N K"], reference: Float[np.ndarray, " K"]) -> float:
    """Return the volume between the points and the reference; less cost is better.

    Points that are not better than the reference in every objective add nothing, nor do NaN.

    Raises:
        ConfigError: moocore is not installed.
    """
    inside = costs[(costs < reference).all(axis=1)]
    if not len(inside):
        return 0.0
    if find_spec("moocore") is None:
        raise ConfigError(
            "Hypervolumes need the package moocore, which is not installed.",
            hint='pip install "paretorank[tune]"',
        )
    import moocore

    return float(moocore.hypervolume(inside, ref=reference))


def reference_point(
    costs: Float[np.ndarray, "N K"], *, margin: float = 0.1
) -> Float[np.ndarray, " K"]:
    """Return the worst value of each objective, and a margin of its range beyond it.

    Without a range, the margin is one of the value's size.
    """
    known = costs[~np.isnan(costs).any(axis=1)]
    if not len(known):
        return np.full(costs.shape[1], np.nan)
    worst, spread = known.max(axis=0), np.ptp(known, axis=0)
    scale = np.where(spread > 0, spread, np.maximum(np.abs(worst), 1e-12))
    return worst + margin * scale

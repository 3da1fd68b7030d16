"""P-values of many comparisons, corrected for there being many.

Source: Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of
Statistics 1979 (chance of any false alarm); Benjamini and Hochberg, Controlling the False Discovery
Rate, Journal of the Royal Statistical Society B 1995 (share of false alarms among alarms).

Shapes: P comparisons.
"""

from typing import Literal

import numpy as np
from jaxtyping import Float

Correction = Literal["holm", "benjamini_hochberg", "none"]


def corrected(p: Float[np.ndarray, " P"], correction: Correction) -> Float[np.ndarray, " P"]:
    """Return adjusted p-values, to be compared with the level itself.

    What is NaN was not compared: it stays NaN and does not count.

    >>> corrected(np.array([0.01, 0.04, np.nan, 0.03]), "holm")
    array([0.03, 0.06,  nan, 0.06])
    """
    adjusted = np.array(p)
    known = np.flatnonzero(~np.isnan(p))
    if correction == "none" or not len(known):
        return adjusted
    order = known[np.argsort(p[known], kind="stable")]
    rank = np.arange(1, len(order) + 1)
    if correction == "holm":
        stepped = np.maximum.accumulate(p[order] * (len(order) + 1 - rank))
    else:
        scaled = p[order] * (len(order) / rank)
        stepped = np.minimum.accumulate(scaled[::-1])[::-1]
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted

"""Scores of a model that saw only some of the rows where nothing happened.

Source: He et al., Practical Lessons from Predicting Clicks on Ads at Facebook, ADKDD 2014,
    section 6.3: q = p / (p + (1 - p) / w), where rows with label 0 were kept with chance w.
Shapes: N rows, T tasks.
"""

import numpy as np
from jaxtyping import Float


def corrected(score: Float[np.ndarray, " N"], keep_rate: float) -> Float[np.ndarray, " N"]:
    """Return the chance on all rows, from that on the rows that were kept.

    Raises:
        ValueError: the rate is not above 0 and at most 1.
    """
    if not 0.0 < keep_rate <= 1.0:
        raise ValueError(f"`keep_rate` must be above 0 and at most 1, got {keep_rate}.")
    chance = score.astype(np.float64)
    if keep_rate == 1.0:
        return chance
    # The same formula, multiplied by w: no division by a tiny rate.
    return keep_rate * chance / (keep_rate * chance + (1.0 - chance))


def restoring_weight(
    label: Float[np.ndarray, "N T"], keep_rates: Float[np.ndarray, " T"]
) -> Float[np.ndarray, " N"]:
    """Return how many rows of the whole log each kept row stands for.

    Every task drops rows with its label 0, on its own: the weights multiply.
    """
    return np.where(label == 0.0, 1.0 / keep_rates, 1.0).prod(axis=1)

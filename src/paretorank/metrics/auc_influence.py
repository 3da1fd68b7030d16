"""By how much each row pulls the AUC up or down.

Source: DeLong, DeLong and Clarke-Pearson, Comparing the Areas under Two or More Correlated Receiver
Operating Characteristic Curves, Biometrics 1988 (the structural components); with weights and
shares of the classes it is the derivative of the weighted AUC, the first-order (Hajek) term.

Shapes: N rows, L distinct scores.
"""

import numpy as np
from jaxtyping import Float

from paretorank.metrics.rows import Rows


def auc_influence(rows: Rows) -> Float[np.ndarray, " N"]:
    """Return how fast the AUC rises when a row counts more often; the rows' sum is 0.

    NaN for every row where one of the classes is missing.
    """
    level = np.unique(rows.score, return_inverse=True)[1]
    n_levels = int(level.max(initial=-1)) + 1
    is_positive = rows.label == 1.0
    positive_L = np.bincount(level, rows.weight * is_positive, n_levels)
    negative_L = np.bincount(level, rows.weight * ~is_positive, n_levels)
    n_positive, n_negative = positive_L.sum(), negative_L.sum()
    if n_positive == 0.0 or n_negative == 0.0:
        return np.full(len(rows), np.nan)
    below_L = (np.cumsum(negative_L) - 0.5 * negative_L) / n_negative
    above_L = 1.0 - (np.cumsum(positive_L) - 0.5 * positive_L) / n_positive
    auc = float(positive_L @ below_L) / n_positive
    pull = np.where(
        is_positive, (below_L[level] - auc) / n_positive, (above_L[level] - auc) / n_negative
    )
    return rows.weight * pull

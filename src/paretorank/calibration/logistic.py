"""The arithmetic that Platt scaling, beta calibration and temperature share.

Source: Platt, Probabilistic Outputs for Support Vector Machines, Advances in Large Margin
    Classifiers 1999, section 2.2, for the targets that are not quite 0 and 1.
Shapes: N rows, K coefficients.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Float

from paretorank.metrics import Rows

_LOWEST: Final = 1e-45
"""The smallest float32 above 0: no two scores of a network become one."""
_HIGHEST: Final = 1.0 - 2.0**-53
"""The largest float64 below 1."""
_TOLERANCE: Final = 1e-12
_N_STEPS: Final = 500


def log_chances(
    score: Float[np.ndarray, " N"],
) -> tuple[Float[np.ndarray, " N"], Float[np.ndarray, " N"]]:
    """Return log p and log(1 - p), finite for scores of exactly 0 and 1."""
    chance = np.clip(score.astype(np.float64), _LOWEST, _HIGHEST)
    return np.log(chance), np.log1p(-chance)


def logit(score: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
    """Return log p - log(1 - p), finite for scores of exactly 0 and 1."""
    positive, negative = log_chances(score)
    return positive - negative


def sigmoid(logits: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
    """Return 1 / (1 + exp(-logit)) without overflow."""
    small = np.exp(-np.abs(logits))
    return np.where(logits >= 0.0, 1.0, small) / (1.0 + small)


def smoothed_targets(rows: Rows) -> Float[np.ndarray, " N"]:
    """Return (n1 + 1) / (n1 + 2) for labels of 1 and 1 / (n0 + 2) for labels of 0.

    The counts are sums of weights. Such targets keep coefficients finite where a threshold
    separates the labels.
    """
    ones = float(rows.weight @ rows.label)
    zeros = float(rows.weight.sum()) - ones
    return np.where(rows.label == 1.0, (ones + 1.0) / (ones + 2.0), 1.0 / (zeros + 2.0))


def fit_logistic(
    inputs: Float[np.ndarray, "N K"],
    rows: Rows,
    *,
    start: Sequence[float],
    bounds: Sequence[tuple[float | None, float | None]],
) -> list[float]:
    """Return the coefficients within the bounds that have the least cross-entropy."""
    from scipy.optimize import minimize  # a fit is rare, loading takes time

    target, weight = smoothed_targets(rows), rows.weight / rows.weight.sum()

    def loss(coefficients: np.ndarray) -> tuple[float, np.ndarray]:
        logits = inputs @ coefficients
        surplus = weight * (sigmoid(logits) - target)
        total = weight @ (np.logaddexp(0.0, logits) - target * logits)
        return float(total), inputs.T @ surplus

    found = minimize(
        loss,
        np.array(start),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"ftol": _TOLERANCE, "gtol": _TOLERANCE, "maxiter": _N_STEPS},
    )
    return [float(value) for value in found.x]

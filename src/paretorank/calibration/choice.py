"""Which map fits rows of users it has not seen.

Every user's rows are judged by maps that were fitted on other users, so that a map with many
numbers is not chosen for remembering its rows.

Shapes: N rows.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from jaxtyping import Int

from paretorank.calibration.maps import Fit, Method
from paretorank.metrics import Rows
from paretorank.metrics.log_loss import row_log_loss

N_FOLDS: Final = 5


def cross_fitted_errors(
    rows: Rows, fits: Mapping[Method, Fit], *, is_chance: bool, generator: np.random.Generator
) -> dict[Method, float]:
    """Return the mean error of each map on users that its fit did not see.

    The error is the log loss of chances, and the squared error of expected values.
    """
    fold = _folds(rows, generator)
    errors = {}
    for method, fit in fits.items():
        score = np.empty(len(rows))
        for part in range(int(fold.max()) + 1):
            held = fold == part
            score[held] = fit(_part(rows, ~held)).apply(rows.score[held])
        judged = Rows(score, rows.label, rows.weight)
        row_errors = row_log_loss(judged) if is_chance else np.square(score - rows.label)
        errors[method] = float(rows.weight @ row_errors / rows.weight.sum())
    return errors


def _folds(rows: Rows, generator: np.random.Generator) -> Int[np.ndarray, " N"]:
    """Return the fold of each row: users together, or single rows where there are no users."""
    n_users, user = len(rows), np.arange(len(rows))
    if rows.group is not None:
        found, of_row = np.unique(rows.group, return_inverse=True)
        if len(found) > 1:
            n_users, user = len(found), of_row
    return (generator.permutation(n_users) % N_FOLDS)[user]


def _part(rows: Rows, kept: np.ndarray) -> Rows:
    return Rows(rows.score[kept], rows.label[kept], rows.weight[kept])

"""GAUC: AUC within each user, averaged over users.

Source: Zhou et al., Deep Interest Network for Click-Through Rate Prediction, KDD 2018, section 6.2
(there weighted by impressions). Users with a single class have no AUC and are left out; counting
them as 0.5, as some libraries do, pulls the result towards 0.5.

Shapes: N rows, U users, K blocks of equal user and score.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Bool, Float, Shaped
from typing_extensions import override

from paretorank.metrics.kept import RowsMetric
from paretorank.metrics.rows import Rows

UserWeighting = Literal["impressions", "positives", "uniform"]

NO_ROWS = Rows(*[np.empty(0)] * 4)


class GroupedAUC(RowsMetric):
    """Average AUC of the users that have both classes; needs `group`."""

    name: ClassVar[str] = "gauc"
    unit: ClassVar[str] = ""
    best: ClassVar[float] = 1.0
    higher_is_better: ClassVar[bool] = True
    needs_binary: ClassVar[bool] = True
    keeps_group: ClassVar[bool] = True

    def __init__(self, weighting: UserWeighting = "impressions") -> None:
        super().__init__()
        self.weighting = weighting
        self._users: UserAUC  # set by `_of_rows`

    @override
    def _of_rows(self, rows: Rows) -> float:
        self._users = auc_per_user(rows if rows.group is not None else NO_ROWS)
        users = self._users
        kept = users.has_both_classes
        if not kept.any():
            return float("nan")
        return float(np.average(users.auc[kept], weights=users.weights(self.weighting)[kept]))

    @property
    def n_users_kept(self) -> int:
        """Users with both classes."""
        return int(self.users().has_both_classes.sum())

    @property
    def n_users_skipped(self) -> int:
        """Users with a single class."""
        return len(self.users().auc) - self.n_users_kept

    @property
    def share_of_rows_kept(self) -> float:
        """Weight of the rows of the users kept, between 0 and 1; NaN without rows."""
        users = self.users()
        total = float(users.impressions.sum())
        return float(users.impressions[users.has_both_classes].sum()) / total if total else np.nan

    def users(self) -> "UserAUC":
        """Return the AUC of each user seen so far; no users if no `group` was given."""
        self.result()
        return self._users

    @override
    def _why_undefined(self) -> str:
        return "no user has both classes" if len(self.users().auc) else "no users given"


@dataclass(frozen=True)
class UserAUC:
    """What is known about each user, in the order of the sorted users."""

    user: Shaped[np.ndarray, " U"]
    auc: Float[np.ndarray, " U"]
    """NaN for a user with one class."""
    impressions: Float[np.ndarray, " U"]
    """Weight of all rows."""
    positives: Float[np.ndarray, " U"]
    """Weight of the rows with label 1."""

    @property
    def has_both_classes(self) -> Bool[np.ndarray, " U"]:
        """Whether the user has an AUC."""
        return ~np.isnan(self.auc)

    def weights(self, weighting: UserWeighting) -> Float[np.ndarray, " U"]:
        """Return how much each user counts."""
        match weighting:
            case "impressions":
                return self.impressions
            case "positives":
                return self.positives
            case "uniform":
                return np.ones_like(self.impressions)


def auc_per_user(rows: Rows) -> UserAUC:
    """Return the AUC of every user from one sort by user and score.

    Raises:
        ValueError: the rows do not know their users.
    """
    if rows.group is None:
        raise ValueError("`rows.group` must be given, got None.")
    user, code = np.unique(rows.group, return_inverse=True)
    order = np.argsort(rows.score, kind="stable")
    order = order[np.argsort(code[order], kind="stable")]
    code, score = code[order], rows.score[order]
    weight = rows.weight[order]
    positive_weight = weight * rows.label[order]
    is_new_user = np.diff(code, prepend=-1) != 0
    starts = np.flatnonzero(is_new_user | (np.diff(score, prepend=np.nan) != 0.0))
    positive_K = _sums_from(positive_weight, starts)
    negative_K = _sums_from(weight - positive_weight, starts)
    first_block_U = np.flatnonzero(is_new_user[starts])
    below_K = np.cumsum(negative_K) - negative_K
    code_K = code[starts]
    below_K = below_K - below_K[first_block_U][code_K]  # negatives of earlier users do not count
    wins_U = _sums_from(positive_K * (below_K + 0.5 * negative_K), first_block_U)
    positive_U, negative_U = (_sums_from(sums, first_block_U) for sums in (positive_K, negative_K))
    n_pairs = positive_U * negative_U
    auc = np.divide(wins_U, n_pairs, out=np.full(len(user), np.nan), where=n_pairs > 0.0)
    return UserAUC(user, auc, positive_U + negative_U, positive_U)


def _sums_from(
    values: Float[np.ndarray, " N"], starts: Shaped[np.ndarray, " K"]
) -> Float[np.ndarray, " K"]:
    """Sum the values from each start up to the next; `reduceat` alone refuses no starts."""
    return np.add.reduceat(values, starts) if len(starts) else np.zeros(0)

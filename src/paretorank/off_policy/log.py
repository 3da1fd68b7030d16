"""What was shown, with which chance, and what came of it.

Shapes: N rows, G requests.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True)
class LoggedChoices:
    """Requests with their candidates, one of which was shown.

    Raises:
        ValueError: columns differ in length, a request has not exactly one shown row, a shown
            row's reward is not finite, or a propensity is no chance.
    """

    request: Int[np.ndarray, " N"]
    """Code of the request of each candidate."""
    is_shown: Bool[np.ndarray, " N"]
    """Whether the candidate is the one that was shown."""
    reward: Float[np.ndarray, " N"]
    """What came of it; read for shown rows only."""
    propensity: Float[np.ndarray, " N"]
    """Chance with which the log would show the candidate; NaN where unknown for rows not shown."""
    user: Int[np.ndarray, " N"] | None = None
    """Code of the user, whose requests hang together; None: requests do not."""

    def __post_init__(self) -> None:
        names = ("is_shown", "reward", "propensity", "user")
        check_lengths(len(self.request), {name: getattr(self, name) for name in names})
        shown_request = np.sort(self.request[self.is_shown])
        if not np.array_equal(shown_request, np.unique(self.request)):
            raise ValueError("`is_shown` must be true for exactly one row of each request.")
        if not np.isfinite(self.reward[self.is_shown]).all():
            raise ValueError("`reward` must be finite for shown rows.")
        known = self.propensity[~np.isnan(self.propensity)]
        if ((known < 0.0) | (known > 1.0)).any():
            raise ValueError("`propensity` must be between 0 and 1.")
        if not (self.propensity[self.is_shown] > 0.0).all():
            raise ValueError("`propensity` must be above 0 for shown rows: they were shown.")

    @property
    def place(self) -> Int[np.ndarray, " N"]:
        """Number of the request of each row, from 0, in the order of the codes."""
        return np.unique(self.request, return_inverse=True)[1]

    def shown(self, column: Float[np.ndarray, " N"]) -> Float[np.ndarray, " G"]:
        """Return a column of the shown rows, in the order of the requests."""
        rows = np.flatnonzero(self.is_shown)
        return column[rows[np.argsort(self.request[rows], kind="stable")]]

    def total(self, column: Float[np.ndarray, " N"]) -> Float[np.ndarray, " G"]:
        """Return the sum of a column over the candidates of each request."""
        return np.bincount(self.place, weights=column).astype(np.float64)  # no rows give integers

    def cluster(self) -> Int[np.ndarray, " G"]:
        """Return the user of each request, or the request itself, numbered from 0."""
        if self.user is None:
            return np.arange(int(self.is_shown.sum()))
        rows = np.flatnonzero(self.is_shown)
        of_request = self.user[rows[np.argsort(self.request[rows], kind="stable")]]
        return np.unique(of_request, return_inverse=True)[1]


def check_lengths(n_rows: int, columns: Mapping[str, np.ndarray | None]) -> None:
    """Refuse columns of another length.

    Raises:
        ValueError: a column is not as long as the rows.
    """
    for name, column in columns.items():
        if column is not None and column.shape != (n_rows,):
            raise ValueError(f"`{name}` must have shape ({n_rows},), got {column.shape}.")

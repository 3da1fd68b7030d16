"""What a list is worth when a score sorts it: NDCG, AUC within the request, values by position.

Source: Järvelin and Kekäläinen, Cumulated Gain-Based Evaluation of IR Techniques, ACM TOIS 2002,
with the discount 1 / log2(1 + place); McSherry and Najork, Computing Information Retrieval
Performance Measures Efficiently in the Presence of Tied Scores, ECIR 2008: rows with one score
share the mean discount of their places, which is the mean over all orders of the tied rows. The
gain is the label itself, linear.

Every number here is a sum of labels times what the standing of their rows is worth, so one ranking
serves all tasks that are observed on the same rows. A row without a label is not part of that
task's list.

Shapes: N rows, T tasks, R requests, L places.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from paretorank.metrics.request_lists import RequestLists, Standing

Discount = Callable[[int], Float[np.ndarray, " L"]]
"""What each of so many places is worth, the first one first."""


@cache
def logarithmic(k: int | None = None) -> Discount:
    """Return the discount 1 / log2(1 + place), and 0 beyond place k.

    Raises:
        ValueError: k is below 1.
    """
    _check(k)

    def discount(n_places: int) -> Float[np.ndarray, " L"]:
        worth = 1.0 / np.log2(np.arange(2.0, n_places + 2.0))
        worth[k if k is not None else n_places :] = 0.0
        return worth

    return discount


@cache
def top(k: int) -> Discount:
    """Return the discount that is 1 for the first k places and 0 beyond.

    Raises:
        ValueError: k is below 1.
    """
    _check(k)

    def discount(n_places: int) -> Float[np.ndarray, " L"]:
        return (np.arange(n_places) < k).astype(np.float64)

    return discount


class RankedLists:
    """Labels of requests, prepared once and measured for many scores.

    Raises:
        ValueError: shapes do not fit.
    """

    def __init__(self, request: np.ndarray, labels: np.ndarray) -> None:
        request, labels = np.asarray(request), np.asarray(labels, dtype=np.float64)
        if labels.ndim != 2 or request.shape != labels.shape[:1]:  # noqa: PLR2004 - rows and tasks
            raise ValueError(
                "`labels` must have one row for each of `request`, got shapes "
                f"{labels.shape} and {request.shape}."
            )
        self.n_rows, self.n_tasks = labels.shape
        observed = ~np.isnan(labels)
        self._views: list[_View] = []
        self._view_at: list[int] = []
        for task in range(self.n_tasks):
            view = self._view_of(observed[:, task], request)
            view.add(task, labels[:, task])
            self._view_at.append(self._views.index(view))
        self._ideals: dict[tuple[int, int], Float[np.ndarray, " R"]] = {}

    def _view_of(
        self, observed: Bool[np.ndarray, " N"], request: Shaped[np.ndarray, " N"]
    ) -> "_View":
        for view in self._views:
            if np.array_equal(view.observed, observed):
                return view
        self._views.append(_View(observed, RequestLists(request[observed]), {}))
        return self._views[-1]

    def rank(self, score: Shaped[np.ndarray, " N"]) -> "Ranking":
        """Return the lists as this score sorts them, the largest score first.

        Raises:
            ValueError: the score has another length, or is not finite.
        """
        score = np.asarray(score, dtype=np.float64)
        if score.shape != (self.n_rows,):
            raise ValueError(f"`score` must have shape ({self.n_rows},), got {score.shape}.")
        if not np.isfinite(score).all():
            raise ValueError(f"`score` must be finite, got {score[~np.isfinite(score)][0]}.")
        return Ranking(self, [view.standing(score) for view in self._views])

    def first_rows(self, task: int) -> Int[np.ndarray, " R"]:
        """Return a row of each list of a task, by its number in the input."""
        view = self._views[self._view_at[task]]
        return np.flatnonzero(view.observed)[view.lists.first_rows()]

    def ideal(self, task: int, k: int) -> Float[np.ndarray, " R"]:
        """Return the largest discounted gain of each request at k.

        Raises:
            ValueError: a label is negative.
        """
        if (task, k) not in self._ideals:
            view = self._views[self._view_at[task]]
            label = view.labels[task]
            if (label < 0.0).any():
                raise ValueError(f"A gain must be at least 0, got {label.min()}.")
            exposure = _exposure(view.lists.standing(label), logarithmic(k)(view.lists.longest))
            self._ideals[task, k] = view.lists.sums(label * exposure)
        return self._ideals[task, k]


@dataclass(eq=False)
class _View:
    """Tasks that are observed on the same rows, with their labels in arranged order."""

    observed: Bool[np.ndarray, " N"]
    lists: RequestLists
    labels: dict[int, Float[np.ndarray, " n"]]

    def add(self, task: int, label: Float[np.ndarray, " N"]) -> None:
        self.labels[task] = self.lists.arranged(label[self.observed])

    def standing(self, score: Float[np.ndarray, " N"]) -> Standing:
        whole = len(score) == len(self.lists.order)
        return self.lists.standing(self.lists.arranged(score if whole else score[self.observed]))


@dataclass(frozen=True)
class ListTerms:
    """A metric as a ratio of sums over lists, so that lists can be drawn again."""

    above: Float[np.ndarray, " R"]
    below: Float[np.ndarray, " R"]

    def ratio(self) -> float:
        """Return the metric of all lists; NaN where nothing stands below the line."""
        below = float(self.below.sum())
        return float(self.above.sum()) / below if below > 0.0 else np.nan


class Ranking:
    """The lists in the order of one score.

    A method returns one number for each task; `..._terms` returns what each list adds to that of
    one task, in the order of `RankedLists.first_rows`.
    """

    def __init__(self, ranked: RankedLists, standings: list[Standing]) -> None:
        self._ranked, self._standings = ranked, standings
        self._exposures: dict[tuple[int, Discount], Float[np.ndarray, " n"]] = {}

    def ndcg(self, k: int = 10) -> Float[np.ndarray, " T"]:
        """Return the mean NDCG@k of the requests with a positive label; NaN without one."""
        return self._of_tasks(lambda task: self.ndcg_terms(task, k))

    def ndcg_terms(self, task: int, k: int = 10) -> ListTerms:
        """Return the NDCG@k of each list, over 1 where it has a positive label, else 0."""
        gain, ideal = self._sums(task, logarithmic(k)), self._ranked.ideal(task, k)
        has_positive = ideal > 0.0
        ratio = np.divide(gain, ideal, out=np.zeros_like(gain), where=has_positive)
        return ListTerms(ratio, has_positive.astype(np.float64))

    def value(self, discount: Discount | None = None) -> Float[np.ndarray, " T"]:
        """Return the mean over requests of label times discount, summed over the list.

        Args:
            discount: what a place is worth; None is `logarithmic()`.
        """
        return self._of_tasks(lambda task: self.value_terms(task, discount))

    def value_terms(self, task: int, discount: Discount | None = None) -> ListTerms:
        """Return label times discount, summed over each list, over 1."""
        sums = self._sums(task, discount or logarithmic())
        return ListTerms(sums, np.ones_like(sums))

    def value_per_impression(self, k: int) -> Float[np.ndarray, " T"]:
        """Return the mean label of the rows at the first k places of all requests."""
        return self._of_tasks(lambda task: self.impression_terms(task, k))

    def impression_terms(self, task: int, k: int) -> ListTerms:
        """Return the labels of the first k places of each list, over how many rows stand there."""
        view = self._ranked._views[self._ranked._view_at[task]]  # noqa: SLF001 - same file
        shown = np.minimum(view.lists.lengths(), k).astype(np.float64)
        return ListTerms(self._sums(task, top(k)), shown)

    def gauc(self) -> Float[np.ndarray, " T"]:
        """Return the AUC within requests, weighted by rows, of requests with both classes.

        Give users for requests to have the AUC within users. NaN where no request has both.

        Raises:
            ValueError: a label is not 0 or 1.
        """
        return self._of_tasks(self.gauc_terms)

    def gauc_terms(self, task: int) -> ListTerms:
        """Return rows times AUC of each list, over its rows where it has both classes, else 0.

        Raises:
            ValueError: a label is not 0 or 1.
        """
        at = self._ranked._view_at[task]  # noqa: SLF001 - same file
        view = self._ranked._views[at]  # noqa: SLF001
        label = view.labels[task]
        if not ((label == 0.0) | (label == 1.0)).all():
            raise ValueError("A label must be 0 or 1 for gauc.")
        length_R = view.lists.lengths().astype(np.float64)
        from_below = view.lists.spread(length_R + 1.0) - self._standings[at].places()
        positive_R = view.lists.sums(label)
        won_R = view.lists.sums(label * from_below) - positive_R * (positive_R + 1.0) / 2.0
        n_pairs_R = positive_R * (length_R - positive_R)
        kept = n_pairs_R > 0.0
        auc_R = np.divide(won_R, n_pairs_R, out=np.zeros_like(won_R), where=kept)
        return ListTerms(auc_R * length_R, np.where(kept, length_R, 0.0))

    def _of_tasks(self, terms: Callable[[int], ListTerms]) -> Float[np.ndarray, " T"]:
        return np.array([terms(task).ratio() for task in range(self._ranked.n_tasks)])

    def _sums(self, task: int, discount: Discount) -> Float[np.ndarray, " R"]:
        """Return label times discount, summed over each request."""
        at = self._ranked._view_at[task]  # noqa: SLF001 - same file
        view = self._ranked._views[at]  # noqa: SLF001
        if (at, discount) not in self._exposures:
            worth = discount(view.lists.longest)
            self._exposures[at, discount] = _exposure(self._standings[at], worth)
        return view.lists.sums(view.labels[task] * self._exposures[at, discount])


def _exposure(standing: Standing, discount: Float[np.ndarray, " L"]) -> Float[np.ndarray, " n"]:
    """Return the discount of each row's place; tied rows share the mean of theirs."""
    exposure = discount.take(standing.above)
    tied = np.flatnonzero(standing.tied > 1)
    if len(tied):
        above, n_tied = standing.above[tied].astype(np.int64), standing.tied[tied].astype(np.int64)
        until = np.concatenate([[0.0], np.cumsum(discount)])
        exposure[tied] = (until[above + n_tied] - until[above]) / n_tied
    return exposure


def _check(k: int | None) -> None:
    if k is not None and k < 1:
        raise ValueError(f"`k` must be at least 1, got {k}.")

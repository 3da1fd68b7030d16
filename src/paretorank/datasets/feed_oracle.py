"""What nobody can beat: the AUC of the true probabilities, and the best slates.

Shapes: B rows, W weight vectors, T tasks, R requests, C candidates.
"""

import math
from collections.abc import Sequence

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Num
from scipy.stats import rankdata

from paretorank.datasets.feed import FeedData
from paretorank.datasets.feed_config import LABEL_COLUMNS, NESTED
from paretorank.datasets.feed_slates import Slates

SLATE_TASKS = ("click", *NESTED, "watch")
"""Tasks whose feedback a slate can be made for."""


def bayes_auc(data: FeedData, rows: Bool[np.ndarray, " B"] | None = None) -> dict[str, float]:
    """Return the AUC of P(task) against the logged label, for each binary task.

    It is what a model that knew the truth would score on these rows, so a fitted model is above
    it only by chance. Rows without a label are left out; NaN where one class is missing.
    """
    scores: dict[str, float] = {}
    for task, column in LABEL_COLUMNS.items():
        if task == "watch":
            continue
        label, score = data.log[column], data.truth[f"p_{task}"].to_numpy()
        used = label.is_not_null().to_numpy()
        if rows is not None:
            used = used & rows
        scores[task] = rank_auc(score[used], label.to_numpy()[used] == 1)
    return scores


def rank_auc(score: Num[np.ndarray, " B"], positive: Bool[np.ndarray, " B"]) -> float:
    """Return the probability that a positive is above a negative, ties counting one half."""
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if n_positive == 0 or n_negative == 0:
        return math.nan
    rank_sum = float(rankdata(score)[positive].sum())
    return (rank_sum - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)


def oracle_front(
    data: FeedData,
    *,
    weights: Float[np.ndarray, "W T"],
    tasks: Sequence[str] = ("click", "like"),
    n_requests: int = 200,
    n_candidates: int = 50,
    n_places: int | None = None,
    seed: int = 0,
) -> pl.DataFrame:
    """Return what the best slates for each weighting of the tasks bring, per request.

    Requests are drawn from the log; each gets `n_candidates` different items, drawn by popularity,
    for `n_places` places (the configured request size where absent). The value of a slate for a
    task is the expected number of its events that follow a click (for watch: of seconds), which
    is the sum over the places of examination · P(click | examined) · P(task | click). As this is
    additive and examination falls with the place, sorting by the weighted value is optimal for
    every weighting, and weights above 0 give points that are Pareto optimal among all policies.

    Columns: `weight_TASK` and, named like the task, its mean value.

    Raises:
        ValueError: a task has no slate value, weights do not fit, or candidates are too few.
    """
    places = n_places or data.config.request_size
    _check_front(data, tasks, weights, n_candidates=n_candidates, n_places=places)
    slates = Slates.drawn(
        data, tasks, n_requests=n_requests, n_candidates=n_candidates, n_places=places, seed=seed
    )
    columns = {f"weight_{task}": weights[:, k] for k, task in enumerate(tasks)}
    points = np.array([slates.value(slates.gain @ weight) for weight in weights])
    columns |= {task: points[:, k] for k, task in enumerate(tasks)}
    return pl.DataFrame(columns)


def _check_front(
    data: FeedData,
    tasks: Sequence[str],
    weights: Float[np.ndarray, "W T"],
    *,
    n_candidates: int,
    n_places: int,
) -> None:
    unknown = [task for task in tasks if task not in SLATE_TASKS]
    if unknown:
        raise ValueError(f"`tasks` must be among {SLATE_TASKS}, got {unknown}")
    if weights.shape[1:] != (len(tasks),) or (weights < 0).any():
        raise ValueError(
            f"`weights` must be non-negative with a column for each of {len(tasks)} tasks,"
            f" got shape {weights.shape}"
        )
    if not n_places <= n_candidates <= data.config.n_items:
        raise ValueError(
            f"`n_candidates` must be between {n_places} places and {data.config.n_items} items,"
            f" got {n_candidates}"
        )

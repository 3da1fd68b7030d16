"""What nobody can beat: the AUC of the true probabilities, and the best slates.

Shapes: B rows, W weight vectors, T tasks, R requests, C candidates.
"""

import math
from collections.abc import Sequence

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int, Num
from scipy.stats import rankdata

from paretorank.datasets.feed import FeedData
from paretorank.datasets.feed_config import LABEL_COLUMNS, NESTED
from paretorank.datasets.feed_outcomes import Chances, chances
from paretorank.datasets.feed_policy import examination
from paretorank.datasets.feed_tables import LOG_START_MS
from paretorank.datasets.feed_world import TABS, Impressions, task_affinities
from paretorank.foundation.seeds import named_generator

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
    gain = _candidate_gains(data, tasks, n_requests, n_candidates, seed)
    looked_at = examination(data.config, np.arange(places)).astype(np.float64)
    columns = {f"weight_{task}": weights[:, k] for k, task in enumerate(tasks)}
    points = np.empty(weights.shape)
    for index, weight in enumerate(weights):
        order = np.argsort(-(gain @ weight), axis=1, kind="stable")[:, :places]
        shown = np.take_along_axis(gain, order[:, :, None], axis=1)
        points[index] = np.einsum("p,rpt->t", looked_at, shown) / n_requests
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


def _candidate_gains(
    data: FeedData, tasks: Sequence[str], n_requests: int, n_candidates: int, seed: int
) -> Float[np.ndarray, "R C T"]:
    """Return the value of every candidate at an examined place."""
    rows = _candidates(data, n_requests, n_candidates, named_generator(seed, "feed", "front"))
    examined = np.ones(len(rows.user), dtype=np.float32)
    true = chances(data.config, task_affinities(data.world, rows), data.intercepts, examined)
    gains = [_gain(true, task) for task in tasks]
    return np.stack(gains, axis=1).reshape(n_requests, n_candidates, len(tasks))


def _gain(true: Chances, task: str) -> Float[np.ndarray, " B"]:
    if task == "click":
        gain = true.attractiveness
    elif task == "watch":
        gain = true.attractiveness * true.watch_given_click_s
    else:
        gain = true.attractiveness * true.given_click[task]
    return np.asarray(gain, dtype=np.float64)


def _candidates(
    data: FeedData, n_requests: int, n_candidates: int, generator: np.random.Generator
) -> Impressions:
    """Return the impressions that requests of the log could have had."""
    row = generator.integers(data.log.height, size=n_requests)
    tab = data.log["tab"].gather(pl.Series(row)).replace_strict(TABS, range(len(TABS)))

    def per_candidate(values: Num[np.ndarray, " R"]) -> Int[np.ndarray, " B"]:
        return np.repeat(values, n_candidates)

    popularity = data.world.items.popularity
    item = [
        generator.choice(len(popularity), n_candidates, replace=False, p=popularity)
        for _ in range(n_requests)
    ]
    return Impressions(
        user=per_candidate(data.log["user_id"].to_numpy()[row]),
        item=np.concatenate(item).astype(np.int32),
        request=per_candidate(np.arange(n_requests, dtype=np.int32)),
        position=np.zeros(n_requests * n_candidates, dtype=np.int32),
        time_ms=per_candidate(data.log["time_ms"].to_numpy()[row] - LOG_START_MS),
        tab=per_candidate(tab.to_numpy().astype(np.int32)),
    )

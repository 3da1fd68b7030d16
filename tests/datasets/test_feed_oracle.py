"""Ceilings are above what any column can do, and fronts are fronts."""

import itertools
import math

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from paretorank.datasets.feed import FeedData, simulate_feed
from paretorank.datasets.feed_config import LABEL_COLUMNS, FeedConfig
from paretorank.datasets.feed_oracle import bayes_auc, oracle_front, rank_auc
from paretorank.datasets.feed_policy import examination
from paretorank.datasets.feed_slates import Slates

WEIGHTS = np.array([[1.0, 0.0], [0.9, 0.1], [0.5, 0.5], [0.1, 0.9], [0.02, 0.98], [0.0, 1.0]])


@pytest.fixture(scope="module")
def data() -> FeedData:
    return simulate_feed(FeedConfig(n_rows=40_000, relatedness=-0.6))


def test_auc_counts_ties_as_one_half() -> None:
    score = np.array([0.1, 0.5, 0.5, 0.9])
    positive = np.array([False, False, True, True])
    assert rank_auc(score, positive) == 3.5 / 4


def test_auc_agrees_with_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    score, positive = generator.integers(20, size=500), generator.random(500) < 0.3
    assert rank_auc(score, positive) == pytest.approx(roc_auc_score(positive, score), abs=1e-12)


def test_auc_of_one_class_is_not_a_number() -> None:
    assert math.isnan(rank_auc(np.array([0.1, 0.2]), np.array([True, True])))


def test_ceilings_lie_between_chance_and_certainty(data: FeedData) -> None:
    ceilings = bayes_auc(data)
    assert set(ceilings) == set(LABEL_COLUMNS) - {"watch"}
    assert all(0.6 < auc < 0.97 for auc in ceilings.values())


def test_ceiling_is_above_every_column(data: FeedData) -> None:
    ceiling = bayes_auc(data)["click"]
    label = data.log["is_click"].to_numpy() == 1
    attributes = data.log.select("position", "hour", "user_activity", "duration_s", "tag")
    for column in attributes:
        auc = rank_auc(column.to_numpy(), label)
        assert max(auc, 1 - auc) < ceiling - 0.05
    for key in ("item_id", "user_id", "author_id", "tag"):  # true means, better than any encoding
        true = data.log.select(key).with_columns(data.truth["p_click"])
        encoded = true.select(pl.col("p_click").mean().over(key)).to_series()
        assert rank_auc(encoded.to_numpy(), label) < ceiling


def test_ceiling_of_some_rows_leaves_out_the_rest_and_missing_labels(data: FeedData) -> None:
    rows = np.arange(data.log.height) % 3 == 0
    score, label = data.truth["p_click"].to_numpy()[rows], data.log["is_click"].to_numpy()[rows]
    assert bayes_auc(data, rows)["click"] == rank_auc(score, label == 1)
    sparse = simulate_feed(data.config.model_copy(update={"missing_rates": {"click": 0.5}}))
    known = sparse.log["is_click"].is_not_null().to_numpy()
    expected = rank_auc(data.truth["p_click"].to_numpy()[known], _clicked(data)[known])
    assert bayes_auc(sparse)["click"] == expected


def test_ends_of_the_front_are_the_best_of_each_task(data: FeedData) -> None:
    front = oracle_front(data, weights=WEIGHTS, n_requests=50, n_candidates=20)
    assert front["click"][0] == front["click"].max()
    assert front["like"][-1] == front["like"].max()
    assert front["click"][0] > 1.1 * front["click"][-1]
    assert front["like"][-1] > 1.1 * front["like"][0]


def test_no_point_of_the_front_dominates_another(data: FeedData) -> None:
    front = oracle_front(data, weights=WEIGHTS, n_requests=50, n_candidates=20)
    points = front.select("click", "like").to_numpy()
    for one, other in itertools.permutations(points, 2):
        assert not ((one >= other).all() and (one > other).any())


def test_no_other_slate_is_better(data: FeedData) -> None:
    weight = np.array([[0.3, 0.7]])
    gain = Slates.drawn(
        data, ("click", "like"), n_requests=1, n_candidates=5, n_places=3, seed=3
    ).gain[0]
    looked_at = examination(data.config, np.arange(3))
    best = max(
        float(looked_at @ gain[list(slate)] @ weight[0])
        for slate in itertools.permutations(range(5), 3)
    )
    front = oracle_front(data, weights=weight, n_requests=1, n_candidates=5, n_places=3, seed=3)
    reached = 0.3 * front["click"][0] + 0.7 * front["like"][0]
    assert reached == pytest.approx(best, rel=1e-6)


def test_gains_of_candidates_follow_the_truth_of_the_log(data: FeedData) -> None:
    gain = Slates.drawn(
        data, ("click", "like", "watch"), n_requests=20, n_candidates=200, n_places=8
    ).gain
    assert 0 < gain[..., 0].mean() < data.truth["attractiveness"].mean()
    assert (gain[..., 1] < gain[..., 0]).all()
    assert gain[..., 2].mean() > 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tasks": ("click", "hate")}, "`tasks` must be among"),
        ({"tasks": ("click",)}, "`weights` must be non-negative with a column for each of 1"),
        ({"n_candidates": 3}, "`n_candidates` must be between 8 places"),
    ],
)
def test_fronts_that_make_no_sense_are_refused(
    data: FeedData, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        oracle_front(data, weights=WEIGHTS, **arguments)


def _clicked(data: FeedData) -> np.ndarray:
    return data.log["is_click"].to_numpy() == 1

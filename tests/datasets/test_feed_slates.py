"""Candidates as rows of a log, and what an order of them brings."""

import numpy as np
import pytest

from paretorank.datasets.feed import FeedData, simulate_feed
from paretorank.datasets.feed_config import FeedConfig
from paretorank.datasets.feed_slates import Slates

TASKS = ("click", "like")


@pytest.fixture(scope="module")
def data() -> FeedData:
    return simulate_feed(FeedConfig(n_rows=2_000, n_users=50, n_items=80, n_authors=10))


@pytest.fixture(scope="module")
def slates(data: FeedData) -> Slates:
    return Slates.drawn(data, TASKS, n_requests=6, n_candidates=10, n_places=3)


def test_candidates_have_the_columns_of_the_log(data: FeedData, slates: Slates) -> None:
    assert slates.frame.columns == data.log.columns
    assert len(slates.frame) == 60
    items = slates.frame["item_id"].to_numpy().reshape(6, 10)
    assert all(len(set(row)) == 10 for row in items)


def test_the_best_order_is_that_of_the_gains(slates: Slates) -> None:
    best, worst = slates.value(slates.gain[..., 0]), slates.value(-slates.gain[..., 0])
    top = np.sort(slates.gain[..., 0], axis=1)[:, ::-1][:, :3]
    assert best[0] == pytest.approx((top @ slates.examined).mean())
    assert worst[0] < best[0]


def test_gains_follow_the_rows_of_the_frame(data: FeedData, slates: Slates) -> None:
    again = Slates.drawn(data, TASKS, n_requests=6, n_candidates=10, n_places=3)
    assert again.frame.equals(slates.frame)
    assert np.array_equal(again.gain, slates.gain)
    assert (slates.gain[..., 1] <= slates.gain[..., 0]).all()

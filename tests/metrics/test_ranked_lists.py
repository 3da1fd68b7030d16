"""Lists in the order of a score: by hand, against scikit-learn, ties, missing labels, refusals."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from paretorank.metrics import (
    GroupedAUC,
    RankedLists,
    RequestLists,
    Standing,
    logarithmic,
    top,
)
from paretorank.metrics import request_lists as layout

HALF = 1.0 / math.log2(3.0)  # what the second place is worth
ROW = st.tuples(st.integers(0, 4), st.integers(0, 5), st.integers(0, 1), st.integers(0, 3))
ROWS = st.lists(ROW, min_size=1, max_size=40)


def columns(rows: list[tuple[int, int, int, int]]) -> list[np.ndarray]:
    return [np.array(column, dtype=np.float64) for column in zip(*rows, strict=True)]


def test_ndcg_of_two_requests_by_hand() -> None:
    request = np.array([1, 1, 2, 2, 2])
    score = np.array([0.2, 0.9, 0.1, 0.5, 0.3])
    label = np.array([[1.0], [0.0], [0.0], [1.0], [1.0]])
    # request 1: the only positive is second; request 2: both positives lead
    assert RankedLists(request, label).rank(score).ndcg(10)[0] == pytest.approx((HALF + 1.0) / 2)


def test_requests_without_a_positive_do_not_count() -> None:
    lists = RankedLists(np.array([1, 1, 2, 2]), np.array([[1.0], [0.0], [0.0], [0.0]]))
    assert lists.rank(np.array([0.1, 0.2, 0.3, 0.4])).ndcg()[0] == pytest.approx(HALF)
    nothing = RankedLists(np.array([1, 1]), np.zeros((2, 1))).rank(np.array([0.1, 0.2]))
    assert np.isnan(nothing.ndcg()).all()
    assert np.isnan(nothing.gauc()).all()


def test_values_by_position_by_hand() -> None:
    lists = RankedLists(np.array([7, 7, 7, 8]), np.array([[5.0], [2.0], [1.0], [4.0]]))
    ranking = lists.rank(np.array([0.1, 0.9, 0.5, 0.3]))  # 2, 1, 5 and 4
    session = 2.0 + HALF + 5.0 / 2.0
    assert ranking.value()[0] == pytest.approx((session + 4.0) / 2.0)
    assert ranking.value(top(1))[0] == pytest.approx((2.0 + 4.0) / 2.0)
    assert ranking.value_per_impression(2)[0] == pytest.approx((2.0 + 1.0 + 4.0) / 3.0)


def test_tied_rows_share_their_places() -> None:
    lists = RankedLists(np.zeros(2, int), np.array([[1.0], [0.0]]))
    ranking = lists.rank(np.array([0.5, 0.5]))
    assert ranking.ndcg()[0] == pytest.approx((1.0 + HALF) / 2.0)
    assert ranking.gauc()[0] == 0.5
    assert ranking.value_per_impression(1)[0] == 0.5


@given(ROWS, st.integers(1, 6))
def test_ndcg_is_that_of_scikit_learn(rows: list[tuple[int, int, int, int]], k: int) -> None:
    request, score, _, grade = columns(rows)
    found = RankedLists(request, grade[:, None]).rank(score).ndcg(k)[0]
    each = []
    for code in np.unique(request):
        own = request == code
        if grade[own].max() > 0.0:
            one = own.sum() == 1  # scikit-learn refuses lists of one row
            each.append(1.0 if one else ndcg_score([grade[own]], [score[own]], k=k))
    assert found == pytest.approx(np.mean(each) if each else math.nan, nan_ok=True)


@given(ROWS)
def test_gauc_is_that_of_the_streaming_metric(rows: list[tuple[int, int, int, int]]) -> None:
    request, score, label, _ = columns(rows)
    metric = GroupedAUC()
    metric.update(score, label, group=request)
    found = RankedLists(request, label[:, None]).rank(score).gauc()[0]
    assert found == pytest.approx(metric.result(), nan_ok=True)


@given(ROWS)
def test_sorting_and_comparing_give_the_same_standing(
    rows: list[tuple[int, int, int, int]],
) -> None:
    request, score, label, _ = columns(rows)
    score[label == 0.0] *= -0.0
    score[::7] = np.nan
    lists = RequestLists(request)
    arranged = lists.arranged(score)
    compared = lists.standing(arranged)
    for block in lists._parts(np.arange(len(score))):
        above, tied = (np.zeros(block.shape, np.int64) for _ in range(2))
        layout._sort(arranged[block], above, tied)
        np.testing.assert_array_equal(above, compared.above[block])
        np.testing.assert_array_equal(tied, compared.tied[block])


@pytest.mark.parametrize("n_rows", [39, 41, 255, 256, 400])
def test_long_requests_are_ranked_like_short_ones(n_rows: int) -> None:
    score = np.random.default_rng(n_rows).permutation(np.arange(n_rows) // 2).astype(np.float64)
    standing: Standing = RequestLists(np.zeros(n_rows, int)).standing(score)
    np.testing.assert_array_equal(standing.above, [(score > own).sum() for own in score])
    np.testing.assert_array_equal(standing.tied, [(score == own).sum() for own in score])


def test_rows_without_a_label_are_not_part_of_the_list() -> None:
    request, score = np.array([1, 1, 1, 2, 2]), np.array([0.9, 0.5, 0.1, 0.2, 0.8])
    labels = np.array([[np.nan, 1.0], [1.0, 0.0], [0.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    kept = np.array([1, 2, 3, 4])
    both = RankedLists(request, labels).rank(score)
    first = RankedLists(request[kept], labels[kept, :1]).rank(score[kept])
    second = RankedLists(request, labels[:, 1:]).rank(score)
    for measured in ("ndcg", "gauc", "value"):
        found = getattr(both, measured)()
        expected = [getattr(first, measured)()[0], getattr(second, measured)()[0]]
        np.testing.assert_allclose(found, expected)


def test_the_order_of_the_rows_does_not_matter() -> None:
    generator = np.random.default_rng(0)
    request, score = generator.integers(0, 30, 400), generator.random(400).round(1)
    labels = generator.integers(0, 2, (400, 2)).astype(np.float64)
    shuffled = generator.permutation(400)
    before = RankedLists(request, labels).rank(score)
    after = RankedLists(request[shuffled], labels[shuffled]).rank(score[shuffled])
    np.testing.assert_allclose(before.ndcg(5), after.ndcg(5))
    np.testing.assert_allclose(before.gauc(), after.gauc())
    np.testing.assert_allclose(before.value(logarithmic(3)), after.value(logarithmic(3)))


def test_requests_may_be_named_by_text() -> None:
    labels = np.array([[1.0], [0.0], [1.0]])
    found = RankedLists(np.array(["u", "b", "u"]), labels).rank(np.array([0.1, 0.2, 0.3]))
    assert found.ndcg()[0] == 1.0


def test_no_rows_have_no_value() -> None:
    ranking = RankedLists(np.empty(0, int), np.empty((0, 1))).rank(np.empty(0))
    for found in (ranking.ndcg(), ranking.gauc(), ranking.value(), ranking.value_per_impression(3)):
        assert np.isnan(found).all()


def test_impossible_rows_are_refused() -> None:
    lists = RankedLists(np.zeros(2, int), np.array([[-1.0], [2.0]]))
    with pytest.raises(ValueError, match="at least 0"):
        lists.rank(np.array([0.1, 0.2])).ndcg()
    with pytest.raises(ValueError, match="0 or 1"):
        lists.rank(np.array([0.1, 0.2])).gauc()
    with pytest.raises(ValueError, match="finite"):
        lists.rank(np.array([0.1, np.nan]))
    with pytest.raises(ValueError, match="shape"):
        lists.rank(np.array([0.1]))
    with pytest.raises(ValueError, match="one row for each"):
        RankedLists(np.zeros(3, int), np.zeros((2, 1)))
    for discount in (top, logarithmic):
        with pytest.raises(ValueError, match="`k` must be at least 1"):
            discount(0)

"""Differences of scores on the same rows: values, and intervals over users."""

import numpy as np
import pytest
from jaxtyping import Float

from paretorank.evaluation import ListMeasure, ListMetric, PairedLists

METRICS = (
    ListMetric("a", "ndcg", 5),
    ListMetric("a", "gauc"),
    ListMetric("a", "sum", 5),
    ListMetric("a", "mean", 2),
)
N_USERS, N_ROWS = 60, 1_500


def rows(seed: int) -> tuple[ListMeasure, Float[np.ndarray, " N"], np.ndarray]:
    """Return a measure, a score that knows half of the labels, and the users."""
    generator = np.random.default_rng(seed)
    user = generator.integers(0, N_USERS, N_ROWS)
    request = user * 10 + generator.integers(0, 4, N_ROWS)
    label = (generator.random(N_ROWS) < 0.3).astype(np.float64)
    label[generator.random(N_ROWS) < 0.1] = np.nan
    score = np.nan_to_num(label) * 0.5 + generator.random(N_ROWS)
    return ListMeasure(request, {"a": label}, METRICS), score, user


def paired(seed: int, *scores: np.ndarray, n_resamples: int = 200) -> PairedLists:
    measure, _, user = rows(seed)
    return PairedLists(
        measure,
        scores,
        user,
        n_resamples=n_resamples,
        confidence=0.9,
        generator=np.random.default_rng(seed),
    )


def test_a_score_does_not_differ_from_itself() -> None:
    _, score, _ = rows(0)
    found = paired(0, score, score)
    for metric in range(len(METRICS)):
        difference, interval = found.difference(1, metric)
        assert difference == pytest.approx(0.0, abs=1e-12)
        assert interval.low == pytest.approx(0.0, abs=1e-12)
        assert interval.high == pytest.approx(0.0, abs=1e-12)


def test_values_are_those_of_all_rows() -> None:
    measure, score, _ = rows(1)
    found = paired(1, -score, score)
    np.testing.assert_allclose(found.values[0], measure.values(-score), rtol=1e-12)
    np.testing.assert_allclose(found.values[1], measure.values(score), rtol=1e-12)


def test_a_better_order_is_better_for_almost_all_draws_of_users() -> None:
    measure, score, _ = rows(2)
    found = paired(2, -score, score)
    for metric in range(len(METRICS)):
        difference, interval = found.difference(1, metric)
        assert difference == pytest.approx((measure.values(score) - measure.values(-score))[metric])
        assert 0.0 < interval.low < difference < interval.high


def test_what_users_have_in_common_cancels() -> None:
    _, score, _ = rows(3)
    nudged = score + np.random.default_rng(9).normal(0.0, 0.01, N_ROWS)
    found = paired(3, score, nudged)
    _, of_difference = found.difference(1, 0)
    _, of_value = found.excess(1, 0, 0.0)
    assert of_difference.high - of_difference.low < 0.3 * (of_value.high - of_value.low)


def test_a_share_of_the_first_score_is_taken_off() -> None:
    _, score, _ = rows(4)
    found = paired(4, score, score)
    value, interval = found.difference(1, 2, share=0.9)
    assert value == pytest.approx(0.1 * found.values[0, 2])
    assert interval.low > 0.0
    assert found.excess(1, 2, 0.25)[0] == pytest.approx(found.values[1, 2] - 0.25)


def test_intervals_cover_the_difference_of_a_world_as_often_as_they_say() -> None:
    covered = 0
    for seed in range(60):
        _, score, _ = rows(seed)
        noise = np.random.default_rng(1_000 + seed)
        first, second = noise.permutation(score), noise.permutation(score)  # neither knows anything
        _, interval = paired(seed, first, second, n_resamples=100).difference(1, 0)
        covered += interval.low <= 0.0 <= interval.high
    assert 46 <= covered <= 60  # 0.9 of 60 is 54


def test_without_draws_or_with_one_user_there_is_no_interval() -> None:
    measure, score, user = rows(5)
    for cluster, n_resamples in ((user, 0), (np.zeros_like(user), 50)):
        found = PairedLists(
            measure,
            [score, -score],
            cluster,
            n_resamples=n_resamples,
            confidence=0.9,
            generator=np.random.default_rng(0),
        )
        difference, interval = found.difference(1, 0)
        assert difference < 0.0
        assert np.isnan([interval.low, interval.high]).all()

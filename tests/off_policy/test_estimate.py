"""Values by hand, the truth of a small simulation, and every way to refuse."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretorank.off_policy import (
    Estimator,
    LoggedChoices,
    Refusal,
    ValueEstimate,
    estimate_value,
    overlap_of,
    positions_by_score,
    softmax_chances,
    top_one_chances,
)
from paretorank.off_policy.log import check_lengths
from paretorank.off_policy.result import refusal_of

N_ACTIONS = 5


def simulated(
    n_requests: int, *, epsilon: float = 0.4, seed: int = 0
) -> tuple[LoggedChoices, np.ndarray, np.ndarray]:
    """Return a log by an epsilon-greedy policy, the true chances and another policy's scores."""
    generator = np.random.default_rng(seed)
    truth = generator.uniform(0.05, 0.6, (n_requests, N_ACTIONS))
    greedy = (truth + generator.normal(0, 0.3, truth.shape)).argmax(axis=1)
    propensity = np.full(truth.shape, epsilon / N_ACTIONS)
    propensity[np.arange(n_requests), greedy] += 1.0 - epsilon
    chosen = (propensity.cumsum(axis=1) > generator.random((n_requests, 1))).argmax(axis=1)
    is_shown = np.zeros(truth.shape, dtype=bool)
    is_shown[np.arange(n_requests), chosen] = True
    reward = (generator.random(truth.shape) < truth).astype(float)
    request = np.repeat(np.arange(n_requests), N_ACTIONS)
    log = LoggedChoices(request, is_shown.ravel(), reward.ravel(), propensity.ravel())
    return log, truth.ravel(), (truth + generator.normal(0, 0.2, truth.shape)).ravel()


def known(estimate: ValueEstimate | Refusal) -> ValueEstimate:
    assert isinstance(estimate, ValueEstimate), estimate
    return estimate


def by_hand() -> tuple[LoggedChoices, np.ndarray]:
    """Return 100 times the same two requests: weights 2 and 0.5, rewards 1 and 3."""
    request = np.repeat(np.arange(200), 2)
    log = LoggedChoices(
        request,
        np.tile([True, False, False, True], 100),
        np.tile([1.0, np.nan, np.nan, 3.0], 100),
        np.tile([0.4, np.nan, np.nan, 0.8], 100),
    )
    return log, np.tile([0.8, 0.2, 0.6, 0.4], 100)


@pytest.mark.parametrize(
    ("estimator", "value"),
    [
        ("ips", (2 * 1 + 0.5 * 3) / 2),
        ("snips", (2 * 1 + 0.5 * 3) / 2.5),
        ("dr", ((0.8 * 1 + 0.2 * 2) + 2 * (1 - 1) + (0.6 * 1 + 0.4 * 2) + 0.5 * (3 - 2)) / 2),
    ],
)
def test_values_are_those_worked_out_by_hand(estimator: Estimator, value: float) -> None:
    log, chance = by_hand()
    # Weights average 1.25 by construction; the mean is not what this test is about.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("paretorank.off_policy.result.SUPPORT_GAP", 0.3)
        guess = np.tile([1.0, 2.0], 200)
        found = known(estimate_value(log, chance, estimator=estimator, expected_reward=guess))
    assert found.value == pytest.approx(value)
    assert found.logged == pytest.approx(2.0)
    assert found.gain == pytest.approx(value - 2.0)
    assert found.gain_low < found.gain < found.gain_high
    assert found.overlap.effective_size == pytest.approx(200 * 2.5**2 / (2 * (4 + 0.25)))
    assert found.overlap.max_weight == 2.0
    assert found.overlap.support is None


def test_the_interval_of_ips_is_that_of_a_mean() -> None:
    log, _, score = simulated(2_000)
    chance = softmax_chances(score, log.request, temperature=0.2)
    found = known(estimate_value(log, chance, estimator="ips"))
    terms = log.shown(chance) / log.shown(log.propensity) * log.shown(log.reward)
    half = 1.959963984540054 * terms.std(ddof=1) / np.sqrt(len(terms))
    assert (found.low, found.high) == pytest.approx((terms.mean() - half, terms.mean() + half))


def test_the_policy_of_the_log_has_the_mean_reward() -> None:
    log, _, _ = simulated(500)
    for estimator in ("ips", "snips"):
        found = known(estimate_value(log, log.propensity, estimator=estimator))
        assert found.value == pytest.approx(log.reward[log.is_shown].mean())
        assert found.overlap.effective_size == pytest.approx(500)


@pytest.mark.parametrize("estimator", ["ips", "snips", "dr"])
def test_most_intervals_hold_the_truth(estimator: Estimator) -> None:
    held = 0
    for seed in range(60):
        log, truth, score = simulated(600, seed=seed)
        chance = top_one_chances(score, log.request)
        found = known(estimate_value(log, chance, estimator=estimator, expected_reward=0.9 * truth))
        held += found.low <= float(log.total(chance * truth).mean()) <= found.high
    assert held >= 54


def test_a_good_guess_narrows_the_interval_and_a_bad_one_does_not_shift_it() -> None:
    log, truth, score = simulated(4_000)
    chance = top_one_chances(score, log.request)
    plain = known(estimate_value(log, chance, estimator="ips"))
    good = known(estimate_value(log, chance, estimator="dr", expected_reward=truth))
    bad = known(estimate_value(log, chance, estimator="dr", expected_reward=1.0 - truth))
    assert good.high - good.low < plain.high - plain.low
    assert good.value == pytest.approx(bad.value, abs=0.06)


def test_snips_moves_with_rewards_that_are_shifted() -> None:
    log, _, score = simulated(1_000)
    chance = softmax_chances(score, log.request, temperature=0.3)
    shifted = replace(log, reward=log.reward + 100.0)
    before, after = known(estimate_value(log, chance)), known(estimate_value(shifted, chance))
    assert after.value == pytest.approx(before.value + 100.0)
    assert after.high - after.low == pytest.approx(before.high - before.low)


def test_requests_of_one_user_widen_the_interval_if_they_are_alike() -> None:
    log, _, score = simulated(1_000)
    reward = np.repeat(np.repeat(np.random.default_rng(3).random(100), 10), N_ACTIONS)
    log = replace(log, reward=reward)
    chance = softmax_chances(score, log.request, temperature=1.0)
    alone = known(estimate_value(log, chance))
    users = replace(log, user=np.repeat(np.repeat(np.arange(100), 10), N_ACTIONS))
    together = known(estimate_value(users, chance))
    assert together.value == alone.value
    assert together.high - together.low > 1.5 * (alone.high - alone.low)


def test_the_order_of_rows_does_not_matter() -> None:
    log, _, score = simulated(300)
    chance = softmax_chances(score, log.request, temperature=0.3)
    order = np.random.default_rng(0).permutation(len(chance))
    mixed = LoggedChoices(
        log.request[order], log.is_shown[order], log.reward[order], log.propensity[order]
    )
    one, other = known(estimate_value(log, chance)), known(estimate_value(mixed, chance[order]))
    assert other.value == pytest.approx(one.value, rel=1e-12)
    assert other.low == pytest.approx(one.low, rel=1e-9)


def refused(log: LoggedChoices, chance: np.ndarray) -> str:
    found = estimate_value(log, chance)
    assert isinstance(found, Refusal)
    return found.reason


def test_a_log_that_never_shows_the_choice_gives_no_number() -> None:
    log, _, _ = simulated(400, epsilon=0.0)
    other = top_one_chances(-log.propensity, log.request)
    assert "never shows what the target policy would show" in refused(log, other)


def test_a_log_without_chance_gives_no_number_about_other_choices() -> None:
    log, _, score = simulated(400, epsilon=0.0)
    chance = top_one_chances(score, log.request)
    assert "the log holds only" in refused(log, chance)
    unknown = replace(log, propensity=np.where(log.is_shown, log.propensity, np.nan))
    assert "weights average" in refused(unknown, chance)


def test_propensities_that_are_too_low_are_noticed() -> None:
    log, _, score = simulated(2_000)
    chance = softmax_chances(score, log.request, temperature=1.0)
    assert "too low" in refused(replace(log, propensity=0.5 * log.propensity), chance)


def test_few_requests_give_no_number() -> None:
    log, _, score = simulated(30)
    chance = softmax_chances(score, log.request, temperature=1.0)
    assert "are needed" in refused(log, chance)


def test_one_user_gives_no_number() -> None:
    log, _, score = simulated(1_000)
    alone = replace(log, user=np.zeros(len(log.request), dtype=int))
    chance = softmax_chances(score, log.request, temperature=1.0)
    assert "needs 2 users or more, and the log holds 1" in refused(alone, chance)


def test_one_heavy_request_gives_no_number() -> None:
    found = refusal_of(overlap_of(np.append(np.ones(2_000), 240.0)), has_mean_one=False)
    assert found is not None
    assert "one row carries 11%" in found.reason


def test_no_requests_give_no_number() -> None:
    nothing = np.empty(0)
    log = LoggedChoices(np.empty(0, dtype=int), np.empty(0, dtype=bool), nothing, nothing)
    assert "No overlap" in refused(log, nothing)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"is_shown": np.array([True, True, True, False])}, "exactly one row of each request"),
        ({"is_shown": np.array([False, False, True, False])}, "exactly one row of each request"),
        ({"reward": np.array([np.nan, 0.0, 1.0, 0.0])}, "`reward` must be finite"),
        ({"propensity": np.array([0.0, 1.0, 0.5, 0.5])}, "above 0 for shown rows"),
        ({"propensity": np.array([np.nan, 1.0, 0.5, 0.5])}, "above 0 for shown rows"),
        ({"propensity": np.array([0.5, 1.5, 0.5, 0.5])}, "between 0 and 1"),
    ],
)
def test_logs_that_cannot_be_are_refused(change: dict[str, np.ndarray], problem: str) -> None:
    columns = {
        "request": np.array([0, 0, 1, 1]),
        "is_shown": np.array([True, False, True, False]),
        "reward": np.zeros(4),
        "propensity": np.full(4, 0.5),
    }
    LoggedChoices(**columns)
    with pytest.raises(ValueError, match=problem):
        LoggedChoices(**{**columns, **change})


def test_columns_of_another_length_are_refused() -> None:
    # asked directly: the shape checks that are on in tests would answer first
    check_lengths(2, {"user": None, "reward": np.zeros(2)})
    with pytest.raises(ValueError, match=r"`reward` must have shape \(2,\), got \(3,\)"):
        check_lengths(2, {"reward": np.zeros(3)})


def test_chances_that_are_none_are_refused() -> None:
    log, _, score = simulated(100)
    with pytest.raises(ValueError, match="sum to 1"):
        estimate_value(log, score)
    chance = top_one_chances(score, log.request)
    with pytest.raises(ValueError, match="`expected_reward` must be given"):
        estimate_value(log, chance, estimator="dr")
    with pytest.raises(ValueError, match="`confidence` must be between"):
        estimate_value(log, chance, confidence=1.0)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(-5, 5, width=32)), min_size=1),
    st.floats(0.1, 10),
)
def test_policies_give_chances_and_prefer_higher_scores(
    rows: list[tuple[int, float]], temperature: float
) -> None:
    request, score = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    soft = softmax_chances(score, request, temperature=temperature)
    top, position = top_one_chances(score, request), positions_by_score(score, request)
    for code in np.unique(request):
        own = request == code
        assert soft[own].sum() == pytest.approx(1.0)
        assert top[own].sum() == pytest.approx(1.0)
        assert sorted(position[own]) == list(range(1, own.sum() + 1))
        by_position = np.argsort(position[own])
        assert (np.diff(soft[own][by_position]) <= 1e-15).all()
        assert (top[own] > 0).tolist() == (score[own] == score[own].max()).tolist()


def test_a_cold_softmax_takes_the_best_and_a_temperature_must_be_positive() -> None:
    score, request = np.array([1.0, 2.0, 0.0]), np.zeros(3, dtype=int)
    cold = softmax_chances(score, request, temperature=1e-3)
    np.testing.assert_allclose(cold, top_one_chances(score, request), atol=1e-12)
    with pytest.raises(ValueError, match="`temperature` must be above 0"):
        softmax_chances(score, request, temperature=0.0)

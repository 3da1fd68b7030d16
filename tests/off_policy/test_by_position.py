"""Another order of the same rows: values by hand, the truth of a simulation, refusals."""

import numpy as np
import pytest

from paretorank.off_policy import (
    Refusal,
    ValueEstimate,
    estimate_by_position,
    estimate_examination,
    positions_by_score,
)

EXAMINATION = np.array([1.0, 0.6, 0.3])


def simulated(n_requests: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Return shown rows of a position-based world, with the chance of liking each."""
    generator = np.random.default_rng(seed)
    appeal = generator.uniform(0.05, 0.8, 40)
    item = np.stack([generator.choice(40, 3, replace=False) for _ in range(n_requests)]).ravel()
    request = np.repeat(np.arange(n_requests), 3)
    liked = appeal[item]
    position = positions_by_score(liked + generator.normal(0, 0.5, len(liked)), request)
    reward = (generator.random(len(liked)) < liked * EXAMINATION[position - 1]).astype(float)
    return {
        "request": request,
        "position": position,
        "reward": reward,
        "liked": liked,
        "item": item,
        "target_position": positions_by_score(liked, request),
    }


def estimate(log: dict[str, np.ndarray], **change: np.ndarray) -> ValueEstimate | Refusal:
    names = ("request", "position", "reward", "target_position")
    columns = {**{name: log[name] for name in names}, "examination": EXAMINATION, **change}
    return estimate_by_position(**columns)


def test_the_value_is_that_worked_out_by_hand() -> None:
    request = np.repeat(np.arange(100), 2)
    found = estimate_by_position(
        request,
        np.tile([1, 2], 100),
        np.tile([1.0, 0.5], 100),
        np.tile([2, 1], 100),
        np.array([1.0, 0.5]),
    )
    assert isinstance(found, ValueEstimate)
    assert found.value == pytest.approx(0.5 * 1.0 + 2.0 * 0.5)
    assert found.overlap.support == pytest.approx(1.0)
    assert found.low == found.high == found.value  # all requests are the same


def test_the_first_places_count_of_both_lists() -> None:
    found = estimate_by_position(
        np.repeat(np.arange(100), 2),
        np.tile([1, 2], 100),
        np.tile([1.0, 0.5], 100),
        np.tile([2, 1], 100),
        np.array([1.0, 0.5]),
        n_places=1,
    )
    assert isinstance(found, ValueEstimate)
    assert found.value == pytest.approx(2.0 * 0.5)
    assert found.logged == pytest.approx(1.0)
    assert found.gain == pytest.approx(0.0)
    assert found.overlap.effective_size == pytest.approx(100.0)
    assert found.overlap.n_requests == 100
    assert found.overlap.support == pytest.approx(1.0)


def test_the_gain_over_the_log_is_surer_than_the_value() -> None:
    log = simulated(2_000)
    found = estimate(log)
    assert isinstance(found, ValueEstimate)
    terms = EXAMINATION[log["target_position"] - 1] / EXAMINATION[log["position"] - 1]
    gain = ((terms - 1.0) * log["reward"]).reshape(-1, 3).sum(axis=1)
    half = 1.96 * gain.std(ddof=1) / np.sqrt(len(gain))
    assert found.gain == pytest.approx(gain.mean())
    assert found.gain_high - found.gain == pytest.approx(half, rel=1e-3)
    assert found.gain_high - found.gain < found.high - found.value
    assert found.to_json()["logged"] == pytest.approx(log["reward"].sum() / 2_000)


def test_the_order_of_the_log_has_the_mean_reward() -> None:
    log = simulated(400)
    found = estimate(log, target_position=log["position"])
    assert isinstance(found, ValueEstimate)
    assert found.value == pytest.approx(log["reward"].sum() / 400)
    assert found.overlap.n_requests == 400
    assert found.overlap.effective_size == pytest.approx(400)


def test_few_lists_give_no_number() -> None:
    found = estimate(simulated(30))
    assert isinstance(found, Refusal)
    assert "are needed" in found.reason


def test_no_lists_give_no_number() -> None:
    nothing = np.empty(0, dtype=int)
    found = estimate_by_position(nothing, nothing, np.empty(0), nothing, EXAMINATION)
    assert isinstance(found, Refusal)
    assert "No overlap" in found.reason


def test_most_intervals_hold_the_truth() -> None:
    held = 0
    for seed in range(50):
        log = simulated(400, seed)
        truth = (log["liked"] * EXAMINATION[log["target_position"] - 1]).sum() / 400
        found = estimate(log)
        assert isinstance(found, ValueEstimate)
        held += found.low <= truth <= found.high
    assert held >= 45


def test_examination_is_found_from_items_at_several_positions() -> None:
    log = simulated(20_000)
    found = estimate_examination(log["item"], log["position"], log["reward"])
    assert isinstance(found, np.ndarray)
    np.testing.assert_allclose(found, EXAMINATION, atol=0.05)


def test_positions_that_share_no_item_cannot_be_compared() -> None:
    position = np.tile([1, 2, 3], 10)
    found = estimate_examination(position, position, np.zeros(30))
    assert isinstance(found, Refusal)
    assert "cannot be compared" in found.reason


def test_a_list_of_rows_that_were_not_shown_gives_no_number() -> None:
    log = simulated(400)
    found = estimate(log, target_position=log["target_position"] + 1)
    assert isinstance(found, Refusal)
    assert "the log holds only" in found.reason


def test_rows_where_nobody_looks_give_no_number() -> None:
    found = estimate(simulated(400), examination=np.array([1.0, 0.0]))
    assert isinstance(found, Refusal)
    assert "where nobody looks" in found.reason


def test_users_widen_the_interval_if_their_requests_are_alike() -> None:
    log = simulated(400)
    reward = np.repeat(np.repeat(np.random.default_rng(1).random(40), 10), 3)
    alone = estimate(log, reward=reward)
    together = estimate(log, reward=reward, user=np.repeat(np.repeat(np.arange(40), 10), 3))
    assert isinstance(alone, ValueEstimate)
    assert isinstance(together, ValueEstimate)
    assert together.high - together.low > 1.5 * (alone.high - alone.low)


def test_one_user_gives_no_number() -> None:
    log = simulated(400)
    found = estimate(log, user=np.full(len(log["request"]), 7))
    assert isinstance(found, Refusal)
    assert found.reason == "An interval needs 2 users or more, and the log holds 1."
    assert found.overlap is not None
    two = estimate(log, user=np.repeat(np.arange(400) % 2, 3))
    assert isinstance(two, ValueEstimate)
    assert two.low < two.value < two.high


@pytest.mark.parametrize("n_places", [0, -1])
def test_no_places_are_refused(n_places: int) -> None:
    log = simulated(100)
    columns = (log[name] for name in ("request", "position", "reward", "target_position"))
    with pytest.raises(ValueError, match=f"`n_places` must be at least 1, got {n_places}"):
        estimate_by_position(*columns, EXAMINATION, n_places=n_places)


def test_columns_that_cannot_be_are_refused() -> None:
    log = simulated(10)
    with pytest.raises(ValueError, match="`position` must be at least 1"):
        estimate(log, position=log["position"] - 1)
    with pytest.raises(ValueError, match="`reward` must be 0 or 1"):
        estimate_examination(log["item"], log["position"], log["reward"] + 0.5)
    with pytest.raises(ValueError, match="`position` must be at least 1"):
        estimate_examination(log["item"], log["position"] - 1, log["reward"])

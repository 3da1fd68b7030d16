"""The simulated feed does what its dials say, and its truth is true."""

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from pydantic import ValidationError

from paretorank.datasets.feed import FeedData, simulate_feed
from paretorank.datasets.feed_config import (
    ACTIVE,
    LABEL_COLUMNS,
    NESTED,
    PASSIVE,
    TASKS,
    FeedConfig,
    FeedRates,
)
from paretorank.foundation.errors import ConfigError

BINARY = tuple(task for task in TASKS if task != "watch")


@pytest.fixture(scope="module")
def at_once() -> FeedData:
    """Hold a log whose labels are all known at once, with feedback that is not too rare."""
    rates = FeedRates(like=0.05, profile_enter=0.04, follow=0.02, hate=0.01)
    return simulate_feed(
        FeedConfig(n_rows=100_000, rates=rates, follow_delay_h=0, profile_enter_delay_h=0)
    )


@pytest.fixture(scope="module")
def default() -> FeedData:
    return simulate_feed(FeedConfig(n_rows=100_000))


@pytest.fixture(scope="module")
def small() -> Callable[..., FeedData]:
    """Return a maker of small logs."""

    def make(**dials: object) -> FeedData:
        return simulate_feed(FeedConfig.model_validate({"n_rows": 20_000} | dials))

    return make


@pytest.mark.parametrize("task", BINARY)
def test_true_rates_are_the_configured_ones(default: FeedData, task: str) -> None:
    mean = default.truth[f"p_{task}"].cast(pl.Float64).mean()
    assert mean == pytest.approx(default.config.task_rate(task), rel=1e-3)


@pytest.mark.parametrize("task", BINARY)
def test_logged_rates_are_the_configured_ones(default: FeedData, task: str) -> None:
    happened = default.log[LABEL_COLUMNS[task]].sum()
    expected = default.config.task_rate(task) * default.log.height
    slack = 0.05 * expected if task == "follow" else 0.0  # the last follows come after the end
    assert happened == pytest.approx(expected, abs=4 * expected**0.5 + slack)


def test_clicks_are_watched_as_long_as_configured(default: FeedData) -> None:
    clicked = default.log.filter(is_click=1)["watch_s"]
    assert clicked.mean() == pytest.approx(default.config.click_watch_s, rel=0.02)
    assert clicked.min() > 0
    assert default.log.filter(is_click=0)["watch_s"].max() == 0


@pytest.mark.parametrize("task", NESTED)
def test_nothing_follows_without_a_click(at_once: FeedData, task: str) -> None:
    assert at_once.log.filter(is_click=0)[LABEL_COLUMNS[task]].sum() == 0


def test_negative_feedback_comes_mainly_without_a_click(at_once: FeedData) -> None:
    rate = at_once.log.group_by("is_click").agg(pl.col("is_hate").mean()).sort("is_click")
    assert rate["is_hate"][0] > 3 * rate["is_hate"][1]


@pytest.mark.parametrize("task", NESTED)
def test_chain_rule_holds_on_every_row(at_once: FeedData, task: str) -> None:
    truth = at_once.truth
    product = truth["p_click"] * truth[f"p_{task}_given_click"]
    np.testing.assert_allclose(truth[f"p_{task}"], product, rtol=1e-6)
    attractive = truth["examination"] * truth["attractiveness"]
    np.testing.assert_allclose(truth["p_click"], attractive, rtol=1e-6)


@pytest.mark.parametrize("task", BINARY)
def test_labels_happen_as_often_as_they_should_in_every_decile(
    at_once: FeedData, task: str
) -> None:
    chance = at_once.truth[f"p_{task}"].to_numpy().astype(float)
    assert _is_calibrated(chance, at_once.log[LABEL_COLUMNS[task]].to_numpy())


@pytest.mark.parametrize("task", NESTED)
def test_conditional_chances_are_calibrated_on_the_clicked_rows(
    at_once: FeedData, task: str
) -> None:
    clicked = at_once.log["is_click"].to_numpy() == 1
    chance = at_once.truth[f"p_{task}_given_click"].to_numpy().astype(float)
    assert _is_calibrated(chance[clicked], at_once.log[LABEL_COLUMNS[task]].to_numpy()[clicked])


def test_expected_seconds_are_calibrated_in_every_decile(at_once: FeedData) -> None:
    expected = at_once.truth["expected_watch_s"].to_numpy().astype(float)
    for rows in np.array_split(np.argsort(expected), 10):
        watched = at_once.log["watch_s"].to_numpy()[rows]
        error = watched.std() / len(rows) ** 0.5
        assert abs(watched.mean() - expected[rows].mean()) < 4 * error


def test_long_views_are_watched_longer(at_once: FeedData) -> None:
    clicked = at_once.log.filter(is_click=1)
    seconds = clicked.group_by("long_view").agg(pl.col("watch_s").median()).sort("long_view")
    assert seconds["watch_s"][1] > 2 * seconds["watch_s"][0]


@pytest.mark.parametrize("relatedness", [-0.9, -0.3, 0.0, 0.9])
def test_cosine_between_the_groups_is_the_dial(
    small: Callable[..., FeedData], relatedness: float
) -> None:
    data = small(relatedness=relatedness, n_rows=100)
    np.testing.assert_allclose(np.diag(data.task_cosines), 1.0, rtol=1e-12)
    for passive in PASSIVE:
        for active in ACTIVE:
            cosine = data.task_cosines[TASKS.index(passive), TASKS.index(active)]
            assert cosine == pytest.approx(relatedness, abs=1e-12)
    for group in (PASSIVE, ACTIVE):
        inside = data.task_cosines[TASKS.index(group[0]), TASKS.index(group[1])]
        assert inside == pytest.approx(0.9, abs=1e-12)


def test_relatedness_moves_the_correlation_of_the_true_chances(
    small: Callable[..., FeedData],
) -> None:
    correlation = [
        small(relatedness=dial, selection_strength=0.0)
        .truth.select(pl.corr("attractiveness", "p_like_given_click", method="spearman"))
        .item()
        for dial in (-0.9, 0.0, 0.9)
    ]
    assert correlation[0] < -0.6
    assert abs(correlation[1]) < 0.25
    assert correlation[2] > 0.6


def test_later_places_are_examined_less(at_once: FeedData) -> None:
    both = at_once.log.select("position", "is_click").with_columns(at_once.truth)
    alike = both.filter(pl.col("attractiveness").is_between(0.45, 0.55))
    rate = alike.group_by("position").agg(pl.col("is_click").mean()).sort("position")
    expected = 8**-at_once.config.position_bias
    assert rate["is_click"][7] / rate["is_click"][0] == pytest.approx(expected, abs=0.08)
    first = both.filter(position=0)["examination"]
    assert first.min() == first.max() == 1


def test_policy_shows_and_puts_first_what_is_attractive(small: Callable[..., FeedData]) -> None:
    blind, keen = small(selection_strength=0.0), small(selection_strength=2.0)
    assert _place_effect(blind) == pytest.approx(0, abs=0.02)
    assert _place_effect(keen) < -0.1


@pytest.mark.parametrize("relatedness", [-0.6, 0.6])
def test_clicked_rows_are_a_biased_sample(
    small: Callable[..., FeedData], relatedness: float
) -> None:
    data = small(relatedness=relatedness)
    chance = data.truth["p_like_given_click"]
    ratio = chance.filter(data.log["is_click"] == 1).mean() / chance.mean()
    assert (ratio - 1) * np.sign(relatedness) > 0.1


def test_drift_changes_which_items_are_liked(small: Callable[..., FeedData]) -> None:
    dials = {"n_rows": 50_000, "n_items": 200, "n_authors": 50}
    kept = _agreement_of_first_and_last_days(small(**dials, drift_per_day=0.0))
    turned = _agreement_of_first_and_last_days(small(**dials, drift_per_day=0.12))
    assert kept > 0.85
    assert turned < kept - 0.3


def test_labels_are_missing_at_the_configured_rates(small: Callable[..., FeedData]) -> None:
    data = small(missing_rates={"like": 0.3, "watch": 0.9})
    assert data.log["is_like"].null_count() / 20_000 == pytest.approx(0.3, abs=0.02)
    assert data.log["watch_s"].null_count() / 20_000 == pytest.approx(0.9, abs=0.02)
    assert data.log["is_click"].null_count() == 0
    full = small()
    known = data.log["is_like"].is_not_null()
    assert data.log["is_like"].filter(known).equals(full.log["is_like"].filter(known))


def test_same_configuration_gives_the_same_data(small: Callable[..., FeedData]) -> None:
    one, again, other = small(seed=1), small(seed=1), small(seed=2)
    assert_frame_equal(one.log, again.log, check_exact=True)
    assert_frame_equal(one.truth, again.truth, check_exact=True)
    assert not one.log["is_click"].equals(other.log["is_click"])


def test_rows_are_ordered_and_requests_have_one_user_and_moment(default: FeedData) -> None:
    log = default.log
    assert log.height == 100_000
    assert log["time_ms"].is_sorted()
    requests = log.group_by("request_id", maintain_order=True).agg(
        pl.len(),
        pl.n_unique("user_id", "time_ms", "tab").name.suffix("_kinds"),
        (pl.col("position") == pl.int_range(pl.len())).all().alias("is_numbered"),
    )
    assert requests["len"].unique().to_list() == [8]
    assert requests.select("user_id_kinds", "time_ms_kinds", "tab_kinds").max().row(0) == (1, 1, 1)
    assert requests["is_numbered"].all()
    assert log.select("request_id", "item_id").is_unique().all()


def test_request_sizes_can_vary(small: Callable[..., FeedData]) -> None:
    data = small(request_sizes="geometric", request_size=5, n_rows=20_001)
    size = data.log.group_by("request_id").len()["len"]
    assert size.sum() == 20_001
    assert size.min() == 1
    assert size.max() <= 16
    assert size.mean() == pytest.approx(4.9, abs=0.2)


def test_labels_that_come_after_the_end_are_logged_as_zero(
    small: Callable[..., FeedData],
) -> None:
    rates = FeedRates(follow=0.1)
    data = small(n_days=2, follow_delay_h=12.0, rates=rates)
    final, logged = data.truth["is_follow_final"], data.log["is_follow"]
    assert final.mean() == pytest.approx(0.1, abs=0.01)
    assert logged.sum() < 0.85 * final.sum()
    assert (logged <= final).all()
    assert (data.log["follow_time_ms"].is_not_null() == (logged == 1)).all()
    delay_h = (data.log["follow_time_ms"] - data.log["time_ms"]).drop_nulls() / 3_600_000
    assert delay_h.min() >= 0
    early = data.log["time_ms"] < data.log["time_ms"].min() + 3_600_000
    lost = 1 - logged.filter(early).sum() / final.filter(early).sum()
    assert lost < 0.1


def test_feedback_without_a_click_is_a_dial(small: Callable[..., FeedData]) -> None:
    data = small(off_click_rate=0.5, n_rows=50_000)
    assert data.log["long_view"].mean() == pytest.approx(0.31, abs=0.01)
    assert data.log.filter(is_click=0)["long_view"].mean() > 0.1
    chance = data.truth["p_long_view"].to_numpy().astype(float)
    assert _is_calibrated(chance, data.log["long_view"].to_numpy())


def test_history_holds_the_last_clicks_of_earlier_requests(
    small: Callable[..., FeedData],
) -> None:
    log = small(history_length=5, n_rows=4_000, n_users=40).log
    assert log["clicked_items"].list.len().max() == 5
    for row in (0, 1_000, 2_345, 3_999):
        here = log.row(row, named=True)
        before = log.filter(
            pl.col("request_id") < here["request_id"], user_id=here["user_id"], is_click=1
        )
        assert here["clicked_items"] == before["item_id"].tail(5).to_list()


def test_clicks_beyond_the_examined_places_are_refused(small: Callable[..., FeedData]) -> None:
    with pytest.raises(ConfigError, match=r"share 0\.9 of the impressions") as caught:
        small(rates=FeedRates(click=0.9), position_bias=1.0)
    assert "position_bias" in caught.value.hint


@pytest.mark.parametrize(
    ("dials", "message"),
    [
        ({"relatedness": 0.95}, "less than or equal to 0.9"),
        ({"relatedness": -0.9, "group_cosine": 0.5}, "`group_cosine` must be at least"),
        ({"request_size": 20}, "`pool_size` must be at least twice"),
        ({"rates": {"like": 0.5}}, "`rates.like` must be below"),
        (
            {"missing_rates": {"clicks": 0.1}},
            "`missing_rates.clicks` is no task of the feed. Did you mean 'click'",
        ),
    ],
)
def test_impossible_dials_are_refused(dials: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        FeedConfig.model_validate(dials)


@pytest.mark.slow
def test_a_million_rows_take_little_time_and_memory() -> None:
    program = (
        "import resource, time\n"
        "from paretorank.datasets import FeedConfig, simulate_feed\n"
        "data = simulate_feed(FeedConfig(n_rows=1_000_000, n_users=20_000, n_items=20_000))\n"
        "peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(data.log.height, time.process_time(), peak_kb)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    n_rows, cpu_s, peak_kb = map(float, done.stdout.split())
    assert n_rows == 1_000_000
    assert cpu_s < 15
    assert peak_kb < 2_000_000


def _is_calibrated(chance: np.ndarray, label: np.ndarray) -> bool:
    """Return whether the label's sum is within 4.5 standard deviations, overall and by decile."""
    parts = [np.arange(len(chance)), *np.array_split(np.argsort(chance), 10)]
    return all(
        abs(label[rows].sum() - chance[rows].sum())
        < 4.5 * (chance[rows] * (1 - chance[rows])).sum() ** 0.5 + 1
        for rows in parts
    )


def _place_effect(data: FeedData) -> float:
    """Return the correlation of attractiveness with the place."""
    both = data.truth.select("attractiveness").with_columns(data.log["position"])
    return float(both.select(pl.corr("position", "attractiveness")).item())


def _agreement_of_first_and_last_days(data: FeedData) -> float:
    """Return the correlation over items of the mean attractiveness on days 0-1 and 12-13."""
    start = data.log["time_ms"].min()
    day = ((data.log["time_ms"] - start) // 86_400_000).alias("day")
    rows = data.log.select("item_id").with_columns(day, data.truth["attractiveness"])
    first, last = (
        rows.filter(pl.col("day").is_in(days)).group_by("item_id").agg(pl.mean("attractiveness"))
        for days in ([0, 1], [12, 13])
    )
    both = first.join(last, on="item_id")
    return float(both.select(pl.corr("attractiveness", "attractiveness_right")).item())

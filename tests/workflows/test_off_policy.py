"""Other orders of a simulated feed whose true values are known, and every way to refuse."""

import dataclasses
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from paretorank.config import RunConfig
from paretorank.datasets import FeedConfig, simulate_feed
from paretorank.foundation.errors import ConfigError, DataError, RunError
from paretorank.off_policy import Refusal, ValueEstimate, positions_by_score
from paretorank.workflows.calibrate import calibrate_run
from paretorank.workflows.calibrated import score_as_served
from paretorank.workflows.calibration_fit import CalibrationWish
from paretorank.workflows.off_policy import OffPolicyReport, off_policy_run
from paretorank.workflows.off_policy_request import OffPolicyRequest
from paretorank.workflows.run_folder import RunFolder
from paretorank.workflows.train import TrainedRun

SIZE = 8
LIKED = "click * like"


@pytest.fixture(scope="module")
def fresh() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return a longer log of the same kind of feed, and its truth."""
    config = FeedConfig(n_rows=16_000, n_users=600, n_items=150, n_authors=30, seed=7)
    data = simulate_feed(config)
    return data.log, data.truth


def asked(trained: TrainedRun, **wishes: Any) -> OffPolicyReport:
    return off_policy_run(trained.folder, OffPolicyRequest(**wishes))


def known(answer: ValueEstimate | Refusal) -> ValueEstimate:
    assert isinstance(answer, ValueEstimate), answer
    return answer


def one_shown(log: pl.DataFrame, truth: pl.DataFrame, epsilon: float) -> pl.DataFrame:
    """Return candidates of which an epsilon-greedy policy has shown one, with its chances."""
    generator = np.random.default_rng(3)
    n_requests = len(log) // SIZE
    taste = truth["p_click"].to_numpy().reshape(n_requests, SIZE)
    favourite = (taste + generator.normal(0, 0.1, taste.shape)).argmax(axis=1)
    propensity = np.full(taste.shape, epsilon / SIZE)
    propensity[np.arange(n_requests), favourite] += 1.0 - epsilon
    chosen = (propensity.cumsum(axis=1) > generator.random((n_requests, 1))).argmax(axis=1)
    is_shown = np.zeros(taste.shape, dtype=bool)
    is_shown[np.arange(n_requests), chosen] = True
    click = (generator.random(taste.shape) < taste).astype(np.int8).ravel()
    return log.with_columns(
        is_click=pl.when(pl.lit(is_shown.ravel())).then(pl.lit(click)),
        shown=pl.lit(is_shown.ravel()),
        propensity=pl.lit(propensity.ravel()),
    )


def test_the_value_of_another_order_of_lists_holds_the_truth(
    trained: TrainedRun, fresh: tuple[pl.DataFrame, pl.DataFrame]
) -> None:
    log, truth = fresh
    report = asked(trained, position="position", by=("click",), rows=log.lazy())
    found = known(report.orders[0].answers["position"])
    scored = score_as_served(trained.folder, rows=log.lazy(), fixed={"position": 0.0})
    target = positions_by_score(scored.rows.scores[:, 0], scored.request)
    looks = truth["examination"].to_numpy()[:SIZE]
    value = (looks[target - 1] * truth["attractiveness"].to_numpy()).sum() / (len(log) / SIZE)
    shown = truth["p_click"].sum() / (len(log) / SIZE)
    assert found.low < value < found.high
    assert "take them as known" in report.notes[-1]
    wishes = {"position": "position", "by": ("click",), "rows": log.lazy()}
    surely = asked(trained, **wishes, examination=tuple(looks.tolist()))
    gained = known(surely.orders[0].answers["position"])
    assert gained.low < value < gained.high
    assert gained.gain_low < value - shown < gained.gain_high
    assert gained.gain_high - gained.gain_low < 0.5 * (gained.high - gained.low)
    assert len(surely.notes) == 1
    assert report.logged == pytest.approx(log["is_click"].sum() / (len(log) / SIZE))
    assert found.logged == pytest.approx(report.logged)
    assert report.examination[0] == 1.0
    assert report.n_requests == len(log) // SIZE
    assert "scored as if shown at the top" in report.notes[0]


def test_the_logs_own_order_has_its_own_value(
    trained: TrainedRun, fresh: tuple[pl.DataFrame, pl.DataFrame]
) -> None:
    wishes = {"position": "position", "rows": fresh[0].lazy(), "formulas": ("0 - position",)}
    report = asked(trained, **wishes, n_places=3)
    found = known(report.orders[0].answers["position"])
    assert found.value == pytest.approx(report.logged)
    assert found.gain == pytest.approx(0.0, abs=1e-12)
    assert (found.gain_low, found.gain_high) == (None, None)  # as looks are fitted
    given = asked(trained, **wishes, n_places=3, examination=(1.0, 0.8, 0.6))
    surely = known(given.orders[0].answers["position"])
    assert (surely.gain_low, surely.gain_high) == pytest.approx((0.0, 0.0), abs=1e-12)


def test_fewer_places_bring_less_and_chances_of_a_look_can_be_given(
    trained: TrainedRun, fresh: tuple[pl.DataFrame, pl.DataFrame]
) -> None:
    looks = tuple(1.0 / np.arange(1, SIZE + 1) ** 0.15)
    wishes = {"position": "position", "examination": looks, "reward": "watch", "by": ("watch",)}
    wishes["rows"] = fresh[0].lazy()
    whole, top = asked(trained, **wishes), asked(trained, **wishes, n_places=2)
    assert whole.examination == pytest.approx(looks)
    assert top.logged < whole.logged
    first, second = (known(one.orders[0].answers["position"]) for one in (whole, top))
    assert second.value < first.value
    assert second.overlap.effective_size > 0.8 * second.overlap.n_requests


def test_places_without_a_chance_of_a_look_count_neither_for_the_log_nor_for_the_order(
    trained: TrainedRun, fresh: tuple[pl.DataFrame, pl.DataFrame]
) -> None:
    wishes = {"position": "position", "rows": fresh[0].lazy(), "formulas": ("0 - position",)}
    report = asked(trained, **wishes, examination=(1.0, 0.9, 0.8), n_places=5)
    top = asked(trained, **wishes, examination=(1.0, 0.9, 0.8), n_places=3)
    found = known(report.orders[0].answers["position"])
    assert report.logged == pytest.approx(found.logged)
    assert report.logged == pytest.approx(top.logged)
    assert report.logged < fresh[0]["is_click"].sum() / (len(fresh[0]) / SIZE)


def test_rows_without_a_top_place_are_counted_as_the_run_counts_its_log(
    trained: TrainedRun, fresh: tuple[pl.DataFrame, pl.DataFrame], tmp_path: Path
) -> None:
    rows = fresh[0].filter(pl.col("position") > 0)
    per_place = rows.group_by("position").agg(pl.col("is_click").sum()).sort("position")
    second = per_place["is_click"][0] / rows["request_id"].n_unique()
    wishes = {"position": "position", "rows": rows.lazy(), "examination": (1.0, 0.9)}
    assert asked(trained, **wishes, n_places=1).logged == 0.0
    assert asked(trained, **wishes, n_places=2).logged == pytest.approx(second)
    alone = RunFolder(Path(shutil.copytree(trained.folder.path, tmp_path / "run")))
    text = alone.config_path.read_text()
    assert "log.parquet" in text
    alone.config_path.write_text(text.replace("log.parquet", "gone.parquet"))
    report = off_policy_run(alone, OffPolicyRequest(**wishes, n_places=1))
    assert report.logged == pytest.approx(second)


def test_a_task_and_a_formula_of_the_same_name_are_two_orders(trained: TrainedRun) -> None:
    orders = {"by": ("like", "click"), "formulas": ("like", "like")}
    report = asked(trained, position="position", examination=(1.0,), **orders)
    found = {one.name: one.formula for one in report.orders}
    assert found == {"like": "click * like", "click": "click", "formula like": "like"}
    assert len(report.orders) == len(found)


def test_the_value_of_a_choice_holds_the_truth_by_every_estimator(
    trained: TrainedRun, fresh: tuple[pl.DataFrame, pl.DataFrame]
) -> None:
    log, truth = fresh
    rows = one_shown(log, truth, epsilon=0.4)
    report = asked(trained, propensity="propensity", shown="shown", rows=rows.lazy())
    scores = score_as_served(trained.folder, rows=rows.lazy()).rows.scores[:, 0]
    best = scores.reshape(-1, SIZE).argmax(axis=1)
    value = truth["p_click"].to_numpy().reshape(-1, SIZE)[np.arange(len(best)), best].mean()
    answers = {name: known(answer) for name, answer in report.orders[0].answers.items()}
    assert set(answers) == {"ips", "snips", "dr"}
    for found in answers.values():
        assert found.low < value < found.high
    assert answers["dr"].high - answers["dr"].low < answers["ips"].high - answers["ips"].low
    assert answers["dr"].overlap.support == pytest.approx(1.0)
    implied = asked(trained, propensity="propensity", rows=rows.lazy())
    assert implied.orders == report.orders  # the shown candidate is the one whose reward is known
    soft = asked(trained, propensity="propensity", rows=rows.lazy(), temperature=0.2)
    assert (
        known(soft.orders[0].answers["ips"]).overlap.effective_size
        > answers["ips"].overlap.effective_size
    )


def test_a_log_without_exploration_gives_no_number(
    trained: TrainedRun, fresh: tuple[pl.DataFrame, pl.DataFrame]
) -> None:
    rows = one_shown(*fresh, epsilon=0.0)
    report = asked(trained, propensity="propensity", by=("like",), rows=rows.lazy())
    assert report.is_refused
    for answer in report.orders[0].answers.values():
        assert isinstance(answer, Refusal)
        assert "Overlap is missing" in answer.reason
    assert report.to_json()["orders"][0]["answers"]["dr"]["overlap"]["n_requests"] == 2_000


def test_requests_whose_reward_is_not_known_are_left_out(
    trained: TrainedRun, fresh: tuple[pl.DataFrame, pl.DataFrame]
) -> None:
    log, truth = fresh
    gone = log.with_columns(is_click=pl.when(pl.col("request_id") >= 200).then(pl.col("is_click")))
    report = asked(trained, position="position", rows=gone.lazy())
    assert (report.n_requests, report.n_left_out) == (1_800, 200)
    assert any("200 requests are left out" in note for note in report.notes)
    rows = one_shown(log, truth, epsilon=0.4).with_columns(
        is_click=pl.when(pl.col("request_id") >= 200).then(pl.col("is_click"))
    )
    report = asked(trained, propensity="propensity", shown="shown", rows=rows.lazy())
    assert (report.n_requests, report.n_left_out) == (1_800, 200)
    nothing = log.with_columns(is_click=pl.lit(None, pl.Int8))
    with pytest.raises(DataError, match="No request is left"):
        asked(trained, position="position", rows=nothing.lazy(), examination=(1.0,))


def test_several_labels_make_one_reward(trained: TrainedRun) -> None:
    looks = tuple(np.ones(SIZE))
    wishes = {"position": "position", "examination": looks}
    both = asked(trained, **wishes, value="click=1,like=5")
    parts = [asked(trained, **wishes, reward=task).logged for task in ("click", "like")]
    assert both.reward == "value"
    assert both.logged == pytest.approx(parts[0] + 5 * parts[1])


def test_scores_are_calibrated_if_the_run_is(trained: TrainedRun, tmp_path: Path) -> None:
    folder = RunFolder(Path(shutil.copytree(trained.folder.path, tmp_path / "run")))
    calibrate_run(folder, CalibrationWish(method="platt"))
    request = OffPolicyRequest(position="position", formulas=(f"{LIKED} + 0.5 * click",))
    assert off_policy_run(folder, request).is_calibrated
    assert not off_policy_run(folder, dataclasses.replace(request, is_raw=True)).is_calibrated


@pytest.mark.parametrize(
    ("wishes", "problem"),
    [
        ({}, "Exactly one of --position and --propensity"),
        ({"position": "position", "propensity": "hour"}, "Exactly one of"),
        ({"position": "position", "shown": "tab"}, "--shown does not go with --position"),
        ({"propensity": "hour", "n_places": 3}, "--k does not go with --propensity"),
        ({"propensity": "hour", "examination": (1.0,)}, "--examination does not go"),
        ({"propensity": "hour", "temperature": 0.0}, "--temperature must be above 0"),
        ({"position": "position", "n_places": 0}, "--k must be at least 1, got 0"),
        ({"position": "position", "examination": (0.0, 1.0)}, "--examination must hold chances"),
        ({"position": "position", "reward": "clik"}, "--reward must name a task, got 'clik'"),
        ({"position": "position", "by": ("lke",)}, "--by must name a task, got 'lke'"),
        ({"position": "position", "reward": "click", "value": "like=1"}, "both given"),
        (
            {"position": "position", "examination": (1.0,), "examination_from": "click"},
            "--examination and --examination-from are both given",
        ),
        ({"position": "position", "formulas": ("click^$w",)}, "must not have free weights"),
        ({"position": "position", "formulas": ("is_click",)}, "no column 'is_click'"),
        ({"position": "position", "reward": "watch"}, "labels of 0 and 1 only, not by watch"),
        ({"position": "position", "value": "watch=1"}, "labels of 0 and 1 only, not by value"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    trained: TrainedRun, wishes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(problem)):
        asked(trained, **wishes)


@pytest.mark.parametrize(
    ("wishes", "problem"),
    [
        ({"position": "positon"}, "'positon'"),
        ({"position": "tab"}, "must hold numbers, got String"),
        ({"position": "user_activity"}, "must be a whole number"),
        ({"propensity": "position"}, "several shown rows, up to 8"),
    ],
)
def test_columns_that_hold_something_else_are_refused(
    trained: TrainedRun, wishes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(DataError, match=problem):
        asked(trained, **wishes)


def test_a_confidence_that_is_no_share_is_refused_before_any_row_is_scored(
    trained: TrainedRun,
) -> None:
    with pytest.raises(ValueError, match="`confidence` must be between 0 and 1, got 1"):
        asked(trained, position="nowhere", confidence=1.0)


def test_an_impossible_propensity_is_refused(
    trained: TrainedRun, fresh: tuple[pl.DataFrame, pl.DataFrame]
) -> None:
    rows = one_shown(*fresh, epsilon=0.4).with_columns(propensity=pl.lit(1.5))
    with pytest.raises(DataError, match="must be between 0 and 1"):
        asked(trained, propensity="propensity", rows=rows.lazy())


def test_lists_must_be_known(trained: TrainedRun, config: RunConfig, tmp_path: Path) -> None:
    folder = RunFolder(Path(shutil.copytree(trained.folder.path, tmp_path / "run")))
    text = folder.config_path.read_text()
    assert 'request = "request_id"' in text
    folder.config_path.write_text(text.replace('request = "request_id"\n', ""))
    with pytest.raises(ConfigError, match=re.escape("data.keys.request")):
        off_policy_run(folder, OffPolicyRequest(position="position"))
    assert config.data.keys.request == "request_id"


def test_the_fused_order_needs_a_search(trained: TrainedRun, tmp_path: Path) -> None:
    folder = RunFolder(Path(shutil.copytree(trained.folder.path, tmp_path / "run")))
    shutil.rmtree(folder.fusion_path.parent, ignore_errors=True)
    with pytest.raises(RunError, match="no weights were searched"):
        off_policy_run(folder, OffPolicyRequest(position="position", fused=True))

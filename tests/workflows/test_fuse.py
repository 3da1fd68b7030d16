"""Search of fusion weights: toys whose best weights are known, and a small run."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from jaxtyping import Float

from paretorank.config import RunConfig, load_config
from paretorank.evaluation import parse_list_metric
from paretorank.foundation.errors import ConfigError, DataError, RunError
from paretorank.foundation.progress import Progress
from paretorank.fusion import parse_formula
from paretorank.workflows import fuse
from paretorank.workflows.calibrate import calibrate_run
from paretorank.workflows.calibration_fit import CalibrationWish
from paretorank.workflows.fuse import fuse_run, fuse_splits
from paretorank.workflows.fusion_formulas import formulas_of
from paretorank.workflows.fusion_report import Splits
from paretorank.workflows.fusion_request import FuseRequest
from paretorank.workflows.fusion_result import Fusion, read_fusion
from paretorank.workflows.fusion_rows import FusionRows
from paretorank.workflows.ranker import Ranker
from paretorank.workflows.run_folder import RunFolder
from paretorank.workflows.train import TrainedRun

TASKS = ("click", "long_view", "like", "watch")
SUM = "click + $w * like"
BOUND = ("like.ndcg@10=+3%",)


def toy_rows(seed: int, own: float = 0.3, n_lists: int = 400, n_rows: int = 8) -> FusionRows:
    """Return lists of which clicks follow one score, likes its opposite and something own."""
    generator = np.random.default_rng(seed)
    request = np.repeat(np.arange(n_lists), n_rows)
    scores = generator.random((len(request), len(TASKS)))
    scores[:, 2] = 1.0 - scores[:, 0] + own * generator.random(len(request))
    drawn = generator.random(scores.shape)
    labels = (drawn < 0.6 * np.minimum(scores, 1.3) ** 3).astype(np.float64)
    labels[:, 1][generator.random(len(request)) < 0.3] = np.nan
    by_task: dict[str, Float[np.ndarray, " N"]] = dict(zip(TASKS, labels.T, strict=True))
    return FusionRows(TASKS, scores, by_task, request, request // 4)


@pytest.fixture(scope="module")
def toy() -> Splits:
    return Splits(toy_rows(0), toy_rows(1), "request_id", "user_id")


def search(toy: Splits, config: RunConfig, out: Path, request: FuseRequest) -> Fusion:
    request = dataclasses.replace(request, n_resamples=40)
    return fuse_splits(request, config, toy, formulas_of(request, config, []), out)


def metric_of(rows: FusionRows, metric: str, w: float) -> float:
    measure = rows.measure([parse_list_metric(metric, TASKS, place="here")])
    return float(measure.values(rows.scores[:, 0] + w * rows.scores[:, 2])[0])


@pytest.mark.parametrize("formula", [SUM, "click + $w * like + $v * 0.001 * watch"])
def test_the_best_weight_that_keeps_a_bound_is_found(
    toy: Splits, config: RunConfig, tmp_path: Path, formula: str
) -> None:
    sampler = "tpe" if formula == SUM else "cmaes"
    request = FuseRequest(("click.ndcg@10",), BOUND, formula, sampler=sampler, n_trials=80)
    found = search(toy, config, tmp_path, request)
    floor = 1.03 * metric_of(toy.valid, "like.ndcg@10", 0.0)
    grid = np.linspace(0.0, 2.0, 401)
    kept = [w for w in grid if metric_of(toy.valid, "like.ndcg@10", w) >= floor]
    best = max(kept, key=lambda w: metric_of(toy.valid, "click.ndcg@10", w))
    assert 0.01 < best < 1.9, "the bound must be what decides"
    assert found.best.searched["like.ndcg@10"] >= floor
    wanted = metric_of(toy.valid, "click.ndcg@10", best)
    assert found.best.searched["click.ndcg@10"] == pytest.approx(wanted, abs=0.002)
    assert found.best.weights["w"] == pytest.approx(best, abs=0.05)


def test_the_result_is_never_worse_than_what_was_there_before(
    toy: Splits, config: RunConfig, tmp_path: Path
) -> None:
    request = FuseRequest(("click.ndcg@10",), formula="like + $w * watch", n_trials=5)
    found = search(toy, config, tmp_path, request)
    assert [point.name for point in found.points][:3] == [
        "baseline",
        "click alone",
        "long_view alone",
    ]
    best = max(point.searched["click.ndcg@10"] for point in found.points)
    assert found.best.searched["click.ndcg@10"] == best
    assert found.best.formula == "click"


def test_today_does_not_differ_from_itself_and_others_do(
    toy: Splits, config: RunConfig, tmp_path: Path
) -> None:
    request = FuseRequest(("click.ndcg@10",), BOUND, SUM, n_trials=4, baseline="2 * click")
    found = search(toy, config, tmp_path, request)
    by_name = {point.name: point for point in found.points}
    for name in ("baseline", "click alone"):
        for compared in by_name[name].tested:
            assert compared.difference == pytest.approx(0.0, abs=1e-12)
            assert compared.interval.low == pytest.approx(0.0, abs=1e-12)
            assert compared.interval.high == pytest.approx(0.0, abs=1e-12)
        assert by_name[name].bounds == {"like.ndcg@10=+3%": "missed"}
    like = by_name["like alone"].tested[1]
    assert 0.0 < like.interval.low < like.difference < like.interval.high
    assert by_name["like alone"].bounds == {"like.ndcg@10=+3%": "kept with confidence"}


def test_where_no_weights_keep_the_bounds_those_that_miss_least_are_taken(
    toy: Splits, config: RunConfig, tmp_path: Path
) -> None:
    request = FuseRequest(("click.ndcg@10",), ("like.ndcg@10=0.999",), SUM, n_trials=6)
    found = search(toy, config, tmp_path, request)
    assert found.n_kept == 0
    assert "no weights keep all bounds" in found.rule
    assert found.best.searched["like.ndcg@10"] == max(
        point.searched["like.ndcg@10"] for point in found.points
    )


def test_two_metrics_lead_to_a_front_with_a_knee_and_prices(
    toy: Splits, config: RunConfig, tmp_path: Path
) -> None:
    metrics = ("click.ndcg@10", "like.ndcg@10")
    found = search(toy, config, tmp_path, FuseRequest(metrics, formula=SUM, n_trials=60))
    front = [point for point in found.points if point.is_on_front]
    assert found.best in front
    assert "the knee" in found.rule
    assert len(front) > 3
    for point in front:
        for other in found.points:
            assert any(point.searched[m] > other.searched[m] for m in metrics) or all(
                point.searched[m] == other.searched[m] for m in metrics
            )
    assert found.hypervolume == pytest.approx(0.0, abs=1e-4)  # today is best for clicks
    assert found.exchanges
    assert all(step.gain > 0.0 and step.cost > 0.0 for step in found.exchanges)


def test_a_worse_baseline_gives_the_front_a_volume(config: RunConfig, tmp_path: Path) -> None:
    toy = Splits(toy_rows(0, own=1.5), toy_rows(1, own=1.5), "request_id", "user_id")
    request = FuseRequest(
        ("click.ndcg@10", "like.ndcg@10"),
        ("click.ndcg@10=+1%",),
        formula=SUM,
        baseline="watch",
        n_trials=30,
        pick="least_misery",
    )
    found = search(toy, config, tmp_path, request)
    assert found.hypervolume is not None
    assert found.hypervolume > 0.0
    assert "least misery" in found.rule
    assert found.best.searched["click.ndcg@10"] > found.points[0].searched["click.ndcg@10"]


def test_a_finished_search_is_not_repeated_and_more_trials_go_on(
    toy: Splits, config: RunConfig, tmp_path: Path
) -> None:
    request = FuseRequest(("click.ndcg@10",), BOUND, SUM, n_trials=12)
    first = search(toy, config, tmp_path / "a", request)
    trials = (tmp_path / "a" / "trials.jsonl").read_bytes()
    assert search(toy, config, tmp_path / "a", request) == first
    assert (tmp_path / "a" / "trials.jsonl").read_bytes() == trials
    more = search(toy, config, tmp_path / "a", dataclasses.replace(request, n_trials=20))
    straight = search(toy, config, tmp_path / "b", dataclasses.replace(request, n_trials=20))
    assert more == straight
    assert more.n_trials == 20


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"seed": 1}, "seed was 0, is 1"),
        ({"at_least": ()}, "at_least was"),
        ({"formula": "click + $w * watch"}, "formula was"),
        ({"ranges": ("w=0:3",)}, "ranges was"),
        ({"sampler": "nsga2"}, "sampler was auto, is nsga2"),
        ({"baseline": "like"}, "baseline was click, is like"),
    ],
)
def test_another_search_does_not_go_on_in_the_folder(
    toy: Splits, config: RunConfig, tmp_path: Path, change: dict[str, object], what: str
) -> None:
    request = FuseRequest(("click.ndcg@10",), BOUND, SUM, n_trials=3)
    search(toy, config, tmp_path, request)
    with pytest.raises(RunError, match=what) as caught:
        search(toy, config, tmp_path, dataclasses.replace(request, **change))  # type: ignore[arg-type]
    assert "--out" in caught.value.hint


def test_other_scores_do_not_go_on_in_the_folder(
    toy: Splits, config: RunConfig, tmp_path: Path
) -> None:
    request = FuseRequest(("click.ndcg@10",), BOUND, SUM, n_trials=3)
    search(toy, config, tmp_path, request)
    changed = dataclasses.replace(toy, valid=toy_rows(7))
    with pytest.raises(RunError, match="the validation rows or their scores have changed"):
        search(changed, config, tmp_path, request)


def test_a_value_adds_up_what_labels_are_worth(config: RunConfig, tmp_path: Path) -> None:
    rows = toy_rows(0)
    rows = dataclasses.replace(rows, labels={**rows.labels, "value": rows.labels["click"] * 3.0})
    toy = Splits(rows, rows, "request_id", "user_id")
    request = FuseRequest(
        ("value@5",), formula=SUM, n_trials=2, value="click=3", also=("click.sum@5",)
    )
    (value, click) = search(toy, config, tmp_path, request).best.tested
    assert value.value == pytest.approx(3.0 * click.value)


def test_lists_of_one_row_and_metrics_without_positives_are_refused(
    toy: Splits, config: RunConfig, tmp_path: Path
) -> None:
    request = FuseRequest(("click.ndcg@10",), formula=SUM, n_trials=2)
    rows = toy.valid
    alone = dataclasses.replace(rows, request=np.arange(len(rows.request)))
    with pytest.raises(DataError, match="a list must have two rows or more"):
        search(dataclasses.replace(toy, valid=alone), config, tmp_path, request)
    none = dataclasses.replace(rows, labels={**rows.labels, "click": np.zeros(len(alone.request))})
    with pytest.raises(DataError, match=r"click\.ndcg@10 is undefined on the validation rows"):
        search(dataclasses.replace(toy, valid=none), config, tmp_path, request)


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        (FuseRequest(("click.gauc",), baseline="clik"), "there is no column 'clik'"),
        (FuseRequest(("click.gauc",), baseline="$w * click"), "must not have free weights"),
        (FuseRequest(("click.gauc",), baseline_column="click"), "neither a task nor a label"),
        (FuseRequest(("click.gauc",), baseline="click", baseline_column="hour"), "together"),
        (FuseRequest(("click.gauc",), formula="click * lik^$w"), "there is no column 'lik'"),
        (FuseRequest(("click.gauc",), formula=SUM, ranges=("v=0:1",)), "got 'v'"),
    ],
)
def test_formulas_that_cannot_be_are_refused(
    config: RunConfig, request_: FuseRequest, problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        formulas_of(request_, config, ["hour"])


def test_a_task_alone_is_its_chance_on_any_impression(config: RunConfig) -> None:
    alone = formulas_of(FuseRequest(("click.gauc",)), config, []).alone
    assert str(alone["like"]) == "click * like"
    assert str(alone["watch"]) == "watch"


def test_a_missing_package_names_the_command_that_installs_it(
    trained: TrainedRun, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fuse, "find_spec", lambda name: None if name == "optuna" else name)
    folder = RunFolder(config.folder / "runs" / "shared")
    assert trained.folder == folder
    with pytest.raises(ConfigError, match="optuna, which is not installed") as caught:
        fuse_run(folder, FuseRequest(("click.gauc",)))
    assert caught.value.hint == 'pip install "paretorank[tune]"'


def test_a_run_is_searched_and_its_predictions_get_the_fused_score(
    trained: TrainedRun, feed: Path, tmp_path: Path
) -> None:
    folder = RunFolder(Path(shutil.copytree(trained.folder.path, tmp_path / "run")))
    heard: list[Progress] = []
    request = FuseRequest(
        ("long_view.ndcg@10",),
        ("click.ndcg@10=-5%",),
        formula="long_view * click^$a * rank(watch)^$b + 0 * hour",
        baseline_column="position",
        n_trials=6,
        n_resamples=20,
    )
    found = fuse_run(folder, request, listener=heard.append)
    assert str(found.points[0].formula) == "position"
    assert found.lists == "request_id"
    assert found.clusters == "user_id"
    assert [event.done for event in heard if event.stage == "fusion"] == list(range(7))
    written = json.loads(folder.fusion_path.read_text())
    assert written["formula"] == found.best.formula
    log = pl.read_parquet(feed.parent / "log.parquet")
    ready = read_fusion(folder.fusion_path)
    assert ready.formula == parse_formula(found.best.formula)
    scores = Ranker.load(folder.path).predict(log, fused=True)
    assert scores.columns[-1] == "fused"
    if found.best.formula == "position":
        assert scores["fused"].to_list() == log["position"].to_list()
    assert scores["fused"].is_finite().all()


def test_weights_are_searched_on_calibrated_scores(
    trained: TrainedRun, feed: Path, tmp_path: Path
) -> None:
    folder = RunFolder(Path(shutil.copytree(trained.folder.path, tmp_path / "run")))
    shutil.rmtree(folder.fusion_path.parent, ignore_errors=True)
    request = FuseRequest(
        ("click.ndcg@10",), formula="click + $w * watch", n_trials=2, n_resamples=5
    )
    raw = fuse_run(folder, request, out=tmp_path / "raw")
    calibrate_run(folder, CalibrationWish(method="scale"), rows=None)
    found = fuse_run(folder, request)
    assert found.settings["rows"] != raw.settings["rows"]
    log = pl.read_parquet(feed.parent / "log.parquet").head(50)
    ranker = Ranker.load(folder.path)
    scores = ranker.predict(log, fused=True)
    weights = {name: float(value) for name, value in found.best.weights.items()}
    if weights:
        expected = scores["click"] + weights["w"] * scores["watch"]
        np.testing.assert_allclose(scores["fused"], expected, rtol=1e-6)
    with pytest.raises(RunError, match="calibrated in another way"):
        ranker.predict(log, fused=True, is_calibrated=False)


def test_predictions_cannot_be_fused_before_weights_were_searched(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no weights were searched") as caught:
        read_fusion(tmp_path / "run" / "fusion" / "fusion.json")
    assert "paretorank fuse" in caught.value.hint
    (tmp_path / "fusion.json").write_text('{"formula": "click +", "lists": "request_id"}')
    with pytest.raises(RunError, match="is damaged"):
        read_fusion(tmp_path / "fusion.json")


def test_a_column_of_the_log_must_hold_numbers(config: RunConfig, trained: TrainedRun) -> None:
    assert load_config(trained.folder.config_path).tasks.keys() == config.tasks.keys()
    request = FuseRequest(("click.gauc",), baseline_column="tab", n_trials=1)
    with pytest.raises(DataError, match="tab: a formula must read numbers"):
        fuse_run(trained.folder, request)

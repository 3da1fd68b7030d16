"""Fronts of scored models, of finished runs, and of runs that are trained for it."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paretorank.config import RunConfig, load_config
from paretorank.evaluation import ScoredRows, task_metrics
from paretorank.foundation.errors import ConfigError, RunError
from paretorank.foundation.progress import Progress
from paretorank.schema import LabelSpec
from paretorank.workflows import front_points
from paretorank.workflows.calibrate import calibrate_run
from paretorank.workflows.calibration_fit import CalibrationWish
from paretorank.workflows.evaluate import evaluate_run
from paretorank.workflows.front import FrontOptions, FrontReport, Point, report_front
from paretorank.workflows.front_grid import BoundsGrid, train_bounds_grid
from paretorank.workflows.front_plot import write_plot
from paretorank.workflows.front_points import front_of
from paretorank.workflows.ingest import Prepared, prepare
from paretorank.workflows.run_folder import RunFolder
from paretorank.workflows.train import TrainedRun, train_run
from tests.workflows.conftest import SMALL
from tests.workflows.test_train import changed

LABELS = tuple(LabelSpec(name=name, column=name, kind="binary") for name in ("a", "b"))
FEW = FrontOptions(n_resamples=10)
TWO = replace(FEW, objectives=("click.auc", "watch.xauc"))


def point(share: float) -> Point:
    """Return a model that knows more of b, the less it knows of a."""
    rng = np.random.default_rng(0)
    truth = (rng.random((900, 2)) < 0.5).astype(float)
    known = np.array([share, 1 - share])
    scores = truth * known + rng.random((900, 2))
    scored = ScoredRows(LABELS, scores, truth, user=np.arange(900) % 90)
    return Point(f"p{share:g}", {"a": share}, scored)


POINTS = [point(share) for share in (0.0, 0.3, 0.5, 0.7, 1.0)]


def report(points: list[Point] | None = None, **options: Any) -> FrontReport:
    given = replace(FEW, **options)
    return report_front(points or POINTS, task_metrics(given.objectives, LABELS), given)


def test_the_report_names_what_is_on_the_front_and_how_surely() -> None:
    noise = replace(point(0.5), name="noise")
    mixed = np.random.default_rng(3).random(noise.scored.scores.shape)
    noise = replace(noise, scored=replace(noise.scored, scores=mixed))
    found = report([*POINTS, noise])
    assert found.front.is_on_front.tolist() == [True] * 5 + [False]
    assert found.on_front_share.tolist() == [1.0] * 5 + [0.0]


def test_the_hypervolume_is_that_of_the_stated_reference() -> None:
    found = report(reference={"a.auc": 0.4, "b.auc": 0.3})
    assert found.reference == pytest.approx((0.4, 0.3))
    assert found.hypervolume == found.front.hypervolume([0.4, 0.3])
    assert found.interval.low < found.hypervolume < found.interval.high
    default = report()
    values = default.front.values
    assert default.reference == pytest.approx(values.min(axis=0) - 0.1 * np.ptp(values, axis=0))


def test_without_resamples_there_is_no_interval() -> None:
    found = report(n_resamples=0)
    assert np.isnan(found.interval.low)
    assert np.isnan(found.on_front_share).all()


def test_picks_follow_their_rules() -> None:
    found = report(at_least={"b.auc": 0.75})
    values = dict(zip(found.front.names, found.front.values, strict=True))
    best = "best a.auc with b.auc >= 0.75"
    allowed = {name: value[0] for name, value in values.items() if value[1] >= 0.75}
    assert found.picks[best] == max(allowed, key=lambda name: allowed[name])
    assert found.picks["least misery"] == "p0.5"
    assert set(found.picks) == {"least misery", "chebyshev, even", "knee", best}
    nobody = report(at_least={"b.auc": 0.9999})
    assert nobody.picks["best a.auc with b.auc >= 0.9999"] in {"p0", None}


def test_a_bound_on_what_should_be_small_is_from_above() -> None:
    wanted = {"objectives": ("a.auc", "b.log_loss"), "at_least": {"b.log_loss": 1e9}}
    clipped = [
        replace(one, scored=replace(one.scored, scores=one.scored.scores / 2.1)) for one in POINTS
    ]
    assert report(clipped, **wanted).picks["best a.auc with b.log_loss <= 1e+09"] == "p1"


def test_every_step_has_its_price() -> None:
    steps = report().exchanges
    assert [(step.start, step.end) for step in steps] == [
        ("p0", "p0.3"), ("p0.3", "p0.5"), ("p0.5", "p0.7"), ("p0.7", "p1"),
    ]  # fmt: skip
    assert all(step.gains == "a.auc" and step.costs == "b.auc" for step in steps)
    assert all(step.price == step.cost / step.gain > 0 for step in steps)


def test_the_report_can_be_written_down_and_drawn(tmp_path: Path) -> None:
    found = report()
    content = json.loads(json.dumps(found.to_json()))
    assert content["points"][0]["setting"] == {"a": 0.0}
    assert content["hypervolume"]["value"] == found.hypervolume
    assert len(content["exchanges"]) == 4
    plot = write_plot(found, tmp_path)
    assert plot is None or "a.auc" in plot.read_text()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"objectives": ("a.auc",)}, "two objectives"),
        ({"at_least": {"c.auc": 0.5}}, "--at-least must name objectives"),
        ({"reference": {"c.auc": 0.5}}, "--reference must name objectives"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        report(**options)


@pytest.fixture(scope="module")
def others(
    feed: Path, prepared: Prepared, tmp_path_factory: pytest.TempPathFactory
) -> list[TrainedRun]:
    """Return a second plain run, and one that can be told a preference."""
    folder = tmp_path_factory.mktemp("front")
    plain = changed(load_config(feed, SMALL), seed=2, epochs=1)
    told = load_config(feed, (*SMALL, 'model.preference.kind="film"', 'balancer.kind="preference"'))
    fast = changed(told, epochs=1, learning_rate=0.02)
    return [
        train_run(plain, RunFolder(folder / "plain"), prepared=prepared),
        train_run(fast, RunFolder(folder / "told"), prepared=prepared),
    ]


def test_runs_are_points_with_the_metrics_of_their_evaluation(
    trained: TrainedRun, others: list[TrainedRun]
) -> None:
    runs = [trained, *others]
    found = front_of([run.folder.path for run in runs], FEW, split="test")
    assert found.front.names == ("shared", "plain", "told")
    for values, run in zip(found.front.values, runs, strict=True):
        np.testing.assert_allclose(values, list(run.result.primary().values()), rtol=1e-5)


def test_a_folder_stands_for_the_finished_runs_inside(others: list[TrainedRun]) -> None:
    found = front_of([others[0].folder.path.parent], TWO)
    assert found.front.names == ("plain", "told")


def test_one_run_that_can_be_told_is_a_front_over_its_preferences(others: list[TrainedRun]) -> None:
    found = front_of([others[1].folder.path], TWO, n_points=5)
    assert found.settings[0] == {"click": 1.0, "watch": 0.0}
    assert found.front.names[1] == "click=0.75 watch=0.25"
    assert len(np.unique(found.front.values[:, 0])) > 1
    assert len(found.front.names) == 5


def test_points_are_scored_as_they_are_served(trained: TrainedRun, tmp_path: Path) -> None:
    run = RunFolder(Path(shutil.copytree(trained.folder.path, tmp_path / "served")))
    calibrate_run(run, CalibrationWish(method="platt"))
    options = replace(FEW, objectives=("click.log_loss", "click.auc"))
    paths = [trained.folder.path, run.path]
    found = front_of(paths, options, split="test")
    assert found.calibrated == ("served",)
    known = evaluate_run(run, n_resamples=0)
    assert found.front.values[1].tolist() == [
        known.value("click", "log_loss"),
        known.value("click", "auc"),
    ]
    raw = front_of(paths, replace(options, is_raw=True), split="test")
    assert raw.calibrated == ()
    assert raw.front.values[0].tolist() == raw.front.values[1].tolist()
    assert raw.to_json()["calibrated"] == []


def test_a_misspelt_objective_is_refused_before_anything_is_scored(
    trained: TrainedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_points, "score_as_served", None)
    options = replace(FEW, objectives=("click.acu",))
    with pytest.raises(ConfigError, match=r"'click\.acu'"):
        front_of([trained.folder.path, trained.folder.path], options)


def test_one_run_that_is_told_nothing_is_no_front(trained: TrainedRun, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="one point, and no front"):
        front_of([trained.folder.path], FEW)
    with pytest.raises(RunError, match="no finished run"):
        front_of([tmp_path], FEW)


def test_runs_on_other_rows_are_refused(
    trained: TrainedRun, config: RunConfig, tmp_path: Path
) -> None:
    data = config.data.model_copy(
        update={"split": config.data.split.model_copy(update={"valid_fraction": 0.2})}
    )
    other = changed(config.model_copy(update={"data": data}).at(config.path), epochs=1)
    elsewhere = prepare(other, tmp_path / "prepared")
    train_run(other, RunFolder(tmp_path / "other"), prepared=elsewhere)
    with pytest.raises(RunError, match="other rows of the log"):
        front_of([trained.folder.path, tmp_path / "other"], FEW)


def test_a_grid_of_bounds_is_trained_once(feed: Path, tmp_path: Path) -> None:
    settings = [*SMALL, "training.epochs=1"]
    grid = BoundsGrid(n_points=3, objectives=TWO.objectives)
    events: list[str] = []

    def listen(event: Progress, /) -> None:
        events.append(event.stage)

    bounds = train_bounds_grid(feed, settings, tmp_path, grid, listener=listen)
    assert list(bounds.values()) == [
        {"click": 0.8, "watch": 0.0}, {"click": 0.4, "watch": 0.4}, {"click": 0.0, "watch": 0.8},
    ]  # fmt: skip
    balancer: Any = RunFolder(tmp_path / "bounds-0.400-0.400").read_config().balancer
    assert (balancer.kind, dict(balancer.bounds)) == ("pe_ltr", {"click": 0.4, "watch": 0.4})
    assert {"1/3 train", "3/3 train"} <= set(events)
    events.clear()
    assert train_bounds_grid(feed, settings, tmp_path, grid, listener=listen) == bounds
    assert events == []
    found = front_of([tmp_path / name for name in bounds], TWO, settings=bounds)
    assert found.settings == tuple(bounds.values())
    with pytest.raises(RunError, match="another configuration"):
        train_bounds_grid(feed, [*settings, "training.seed=9"], tmp_path, grid)


def test_bounds_that_cannot_be_kept_are_refused(feed: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"at most 1, got 1\.5"):
        train_bounds_grid(feed, SMALL, tmp_path, BoundsGrid(total=1.5))

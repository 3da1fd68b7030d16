"""A run that can be told what to prefer: trained, cut off, resumed, and asked."""

from pathlib import Path

import polars as pl
import pytest

from paretorank.config import RunConfig, load_config
from paretorank.foundation.errors import ConfigError, DataError
from paretorank.foundation.progress import Progress
from paretorank.workflows.evaluate import evaluate_run
from paretorank.workflows.ingest import Prepared
from paretorank.workflows.predict import load_model, predict_frame
from paretorank.workflows.preference import Preferred
from paretorank.workflows.ranker import Ranker
from paretorank.workflows.run_folder import RunFolder
from paretorank.workflows.train import TrainedRun, train_run
from tests.workflows.conftest import SMALL
from tests.workflows.test_train import Interrupted, changed, same

TOLD = ('model.preference={kind="film", hidden_dims=[8]}', 'balancer={kind="preference"}')
TASKS = ["click", "long_view", "like", "watch"]


@pytest.fixture(scope="module")
def told(feed: Path) -> RunConfig:
    return changed(load_config(feed, (*SMALL, *TOLD)), learning_rate=0.02)


@pytest.fixture(scope="module")
def run(
    told: RunConfig, prepared: Prepared, tmp_path_factory: pytest.TempPathFactory
) -> TrainedRun:
    return train_run(told, RunFolder(tmp_path_factory.mktemp("told") / "run"), prepared=prepared)


@pytest.fixture(scope="module")
def log(run: TrainedRun) -> pl.DataFrame:
    return pl.read_parquet(str(run.folder.read_config().data.log)).tail(50)


def predict(run: TrainedRun, rows: pl.DataFrame, preference: Preferred) -> pl.DataFrame:
    model, encoder, config = load_model(run.folder)
    return predict_frame(model, encoder, config, rows.lazy(), preference=preference).select(TASKS)


def test_a_cut_off_run_is_resumed_to_the_same_end(
    run: TrainedRun, told: RunConfig, prepared: Prepared, tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path / "run")

    def cut(event: Progress, /) -> None:
        if event.stage == "train" and event.done == 7:
            raise Interrupted

    chatty = changed(told, log_every_steps=1)
    with pytest.raises(Interrupted):
        train_run(chatty, folder, prepared=prepared, listener=cut)
    assert same(run, train_run(chatty, folder, prepared=prepared, resume=True))


def test_scores_depend_on_the_preference_and_are_the_default_without_one(
    run: TrainedRun, log: pl.DataFrame
) -> None:
    default, even = predict(run, log, None), predict(run, log, dict.fromkeys(TASKS, 2.0))
    for task in TASKS:
        assert (default[task] - even[task]).abs().max() < 1e-5
    assert not predict(run, log, {"click": 1.0}).equals(predict(run, log, {"like": 1.0}))
    assert predict(run, log, {"click": 1.0}).equals(predict(run, log, {"click": 9.0}))


def test_every_row_may_bring_its_own_preference(run: TrainedRun, log: pl.DataFrame) -> None:
    shares = pl.Series("c", [2.0, 0.0] * 25)
    rows = log.with_columns(shares, (2 - shares).alias("l"))
    found = predict(run, rows, {"click": "c", "like": "l"})
    for start, preference in ((0, {"click": 1.0}), (1, {"like": 1.0})):
        expected = predict(run, log, preference)
        for task in TASKS:
            difference = found[task].gather_every(2, start) - expected[task].gather_every(2, start)
            assert difference.abs().max() < 1e-5


@pytest.mark.parametrize("values", [[1.0, None], [1.0, -1.0], [1.0, 0.0]])
def test_rows_without_a_preference_are_refused(
    run: TrainedRun, log: pl.DataFrame, values: list[float | None]
) -> None:
    rows = log.with_columns(pl.Series("c", values * 25, dtype=pl.Float64))
    with pytest.raises(DataError, match="in 25 rows"):
        predict(run, rows, {"click": "c"})


def test_columns_that_hold_no_preference_are_refused(run: TrainedRun, log: pl.DataFrame) -> None:
    with pytest.raises(DataError, match="'nowhere'"):
        predict(run, log, {"click": "nowhere"})
    with pytest.raises(DataError, match="holds String"):
        predict(run, log.with_columns(c=pl.lit("much")), {"click": "c"})
    with pytest.raises(ConfigError, match="must name tasks, got 'clik'"):
        predict(run, log, {"clik": "c"})


def test_what_is_no_preference_is_refused(run: TrainedRun, log: pl.DataFrame) -> None:
    with pytest.raises(ConfigError, match="must name tasks, got 'clik'"):
        predict(run, log, {"clik": 1.0})
    with pytest.raises(ConfigError, match="names no task"):
        predict(run, log, {})
    mixed: Preferred = {"click": "c", "like": 1.0}  # type: ignore[dict-item]
    with pytest.raises(ConfigError, match="numbers or columns"):
        predict(run, log, mixed)


def test_a_run_that_reads_no_preference_cannot_be_told(
    trained: TrainedRun, log: pl.DataFrame
) -> None:
    with pytest.raises(ConfigError, match="cannot be told"):
        predict(trained, log, {"click": 1.0})
    with pytest.raises(ConfigError, match="cannot be told"):
        evaluate_run(trained.folder, preference={"click": 1.0}, n_resamples=0)


def test_metrics_depend_on_the_preference(run: TrainedRun) -> None:
    def metrics(preference: dict[str, float] | None) -> dict[str, float]:
        return evaluate_run(run.folder, preference=preference, n_resamples=0).primary()

    assert metrics(None) == pytest.approx(metrics(dict.fromkeys(TASKS, 1.0)), abs=1e-4)
    assert metrics({"click": 1.0}) != metrics({"like": 1.0})
    ranker = Ranker.load(run.folder.path)
    evaluated = ranker.evaluate(preference={"like": 1.0}).primary()
    assert evaluated == pytest.approx(metrics({"like": 1.0}))


def test_a_ranker_is_told_with_each_question(run: TrainedRun, log: pl.DataFrame) -> None:
    ranker = Ranker.load(run.folder.path)
    for preference in ({"click": 1.0}, {"like": 1.0}):
        found = ranker.predict(log, preference=preference).select(TASKS)
        assert found.equals(predict(run, log, preference))


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (['model.preference.kind="film"'], "draws none"),
        (['balancer.kind="preference"'], "the model reads none"),
        ([*TOLD, "model.preference.default={clik=1}"], "model.preference.default must name tasks"),
        ([*TOLD, "model.preference.default={click=0}"], "above 0 for one task"),
    ],
)
def test_preferences_that_nobody_draws_or_reads_are_refused_before_any_work(
    feed: Path, settings: list[str], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        load_config(feed, settings)
    assert caught.value.hint

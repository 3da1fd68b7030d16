"""Scores for new rows."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.torch import load_file, save_file

from paretorank.config import RunConfig
from paretorank.foundation.errors import DataError, RunError
from paretorank.relations import ESMMConfig
from paretorank.workflows.ingest import Prepared
from paretorank.workflows.predict import load_model, predict_frame, write_scores
from paretorank.workflows.run_folder import RunFolder
from paretorank.workflows.train import TrainedRun, train_run

KEYS = ["user_id", "item_id", "request_id"]
TASKS = ["click", "long_view", "like", "watch"]


@pytest.fixture(scope="module")
def log(trained: TrainedRun) -> pl.DataFrame:
    return pl.read_parquet(str(trained.folder.read_config().data.log)).tail(200)


def predict(trained: TrainedRun, rows: pl.DataFrame) -> pl.DataFrame:
    model, encoder, config = load_model(trained.folder)
    return predict_frame(model, encoder, config, rows.lazy())


def test_keys_come_first_then_one_named_column_per_task(
    trained: TrainedRun, log: pl.DataFrame
) -> None:
    scores = predict(trained, log)
    assert scores.columns == [*KEYS, *TASKS]
    assert scores.select(KEYS).equals(log.select(KEYS))
    assert scores.select(TASKS).null_count().sum_horizontal().item() == 0


def test_scores_follow_their_rows_in_whatever_order_these_come(
    trained: TrainedRun, log: pl.DataFrame
) -> None:
    order = np.random.default_rng(0).permutation(len(log))
    straight, shuffled = predict(trained, log), predict(trained, log[order])
    assert shuffled.select(KEYS).equals(log[order].select(KEYS))
    for task in TASKS:
        np.testing.assert_allclose(shuffled[task], straight[task].to_numpy()[order], rtol=1e-4)
    assert straight["click"].n_unique() > 100


def test_they_are_the_scores_that_training_kept(trained: TrainedRun) -> None:
    kept = pl.read_parquet(trained.folder.scores_path)
    log = pl.read_parquet(str(trained.folder.read_config().data.log))
    scores = predict(trained, log[kept["row"].to_numpy()])
    for task in TASKS:
        np.testing.assert_allclose(scores[task], kept[task], rtol=1e-4)


def test_one_row_is_enough(trained: TrainedRun, log: pl.DataFrame) -> None:
    one = predict(trained, log.head(1))
    np.testing.assert_allclose(one["click"], predict(trained, log)["click"][:1], rtol=1e-4)


def test_no_row_gives_an_empty_table(trained: TrainedRun, log: pl.DataFrame) -> None:
    empty = predict(trained, log.clear())
    assert len(empty) == 0
    assert set(TASKS) <= set(empty.columns)


def test_labels_and_keys_that_are_not_inputs_are_not_needed(
    trained: TrainedRun, log: pl.DataFrame
) -> None:
    labels = ["is_click", "long_view", "is_like", "watch_s"]
    without = predict(trained, log.drop("request_id", "time_ms", *labels))
    assert without.columns == ["user_id", "item_id", *TASKS]
    assert without["like"].to_list() == predict(trained, log)["like"].to_list()


def test_unseen_values_and_nulls_everywhere_still_give_scores(
    trained: TrainedRun, log: pl.DataFrame
) -> None:
    strange = log.with_columns(
        pl.lit(10**9).alias("user_id"),
        pl.lit(None, pl.Int64).alias("item_id"),
        pl.lit(None, pl.Int64).alias("author_id"),
        pl.lit(None, pl.Float64).alias("duration_s"),
        pl.lit(float("inf")).alias("upload_age_days"),
        pl.lit(None, pl.String).alias("tag"),
    )
    scores = predict(trained, strange).select(TASKS)
    assert all(scores[task].is_finite().all() for task in TASKS)
    assert scores["click"].is_between(0, 1).all()


def test_a_missing_input_column_is_named(trained: TrainedRun, log: pl.DataFrame) -> None:
    with pytest.raises(DataError, match=r"features\.duration_s asks for the column 'duration_s'"):
        predict(trained, log.drop("duration_s"))


def test_a_position_need_not_be_known_before_rows_are_shown(
    config: RunConfig, prepared: Prepared, log: pl.DataFrame, tmp_path: Path
) -> None:
    changes = {"position": "position", "relations": ESMMConfig()}
    model = config.model.model_copy(update=changes)
    placed = config.model_copy(update={"model": model}).at(config.path)
    run = train_run(placed, RunFolder(tmp_path / "run"), prepared=prepared)
    scores = predict(run, log.drop("position"))
    for task in TASKS:
        np.testing.assert_allclose(scores[task], predict(run, log)[task], rtol=1e-5)
    bias = run.model.position
    assert bias is not None
    assert bias.weight.abs().max() > 0


def test_scores_are_written_as_parquet_or_csv(tmp_path: Path) -> None:
    scores = pl.DataFrame({"user_id": [1, 2], "click": [0.25, 0.5]})
    write_scores(scores, tmp_path / "a.parquet")
    write_scores(scores, tmp_path / "deep" / "a.csv")
    assert pl.read_parquet(tmp_path / "a.parquet").equals(scores)
    assert pl.read_csv(tmp_path / "deep" / "a.csv").equals(scores)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no run") as error:
        load_model(RunFolder(tmp_path))
    assert "paretorank train" in error.value.hint


def test_weights_that_do_not_fit_the_configuration_are_refused(
    trained: TrainedRun, tmp_path: Path
) -> None:
    config = trained.folder.read_config()
    folder = RunFolder(tmp_path / "run")
    folder.begin(config, trained.folder.read_encoder().layout, trained.folder.encoder_folder)
    tensors = load_file(trained.folder.checkpoints / "best.safetensors")
    tensors.pop("model/output.logit_bias")
    folder.checkpoints.mkdir()
    save_file(tensors, folder.checkpoints / "best.safetensors")
    with pytest.raises(RunError, match="weights do not fit the configuration"):
        load_model(folder)

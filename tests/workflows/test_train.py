"""Train a run from start to finish."""

import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from paretorank.balancing import PAPERecConfig
from paretorank.config import RunConfig, load_config, parse_config
from paretorank.evaluation import EvaluationResult
from paretorank.foundation.errors import DataError, RunError, TrainingError
from paretorank.foundation.progress import Progress
from paretorank.relations import ESCM2Config
from paretorank.tasks import DelayConfig, DurationTask
from paretorank.workflows.evaluate import evaluate_run
from paretorank.workflows.ingest import Prepared, prepare
from paretorank.workflows.run_folder import RunFolder
from paretorank.workflows.train import TrainedRun, new_run_folder, train_run


class Interrupted(Exception):  # noqa: N818 - not an error, a power cut
    """The machine went away."""


def changed(config: RunConfig, **training: object) -> RunConfig:
    copy = config.training.model_copy(update=training)
    return config.model_copy(update={"training": copy})


def weights(run: TrainedRun) -> dict[str, torch.Tensor]:
    return run.model.state_dict()


def same(one: TrainedRun, two: TrainedRun) -> bool:
    return all(torch.equal(value, weights(two)[name]) for name, value in weights(one).items())


def test_the_run_folder_holds_everything(trained: TrainedRun) -> None:
    folder = trained.folder.path
    found = {path.name for path in folder.iterdir()}
    assert found == {
        "config.toml",
        "schema.json",
        "environment.json",
        "encoder",
        "checkpoints",
        "log.jsonl",
        "scores.parquet",
        "metrics.json",
    }
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {
        "best.safetensors",
        "last.safetensors",
    }
    assert "torch" in json.loads((folder / "environment.json").read_text())
    assert not list(folder.rglob("*.partial"))
    assert not list(folder.rglob("*.pkl"))


def test_tensorboard_files_appear_when_asked_for(
    config: RunConfig, prepared: Prepared, tmp_path: Path
) -> None:
    wanted = changed(config, epochs=1, tensorboard=True)
    train_run(wanted, RunFolder(tmp_path / "run"), prepared=prepared)
    assert list((tmp_path / "run" / "tensorboard").glob("events.out.tfevents.*"))


def test_the_log_tells_the_weights_of_rows_by_the_values_of_a_feature(
    config: RunConfig, prepared: Prepared, tmp_path: Path
) -> None:
    wanted = changed(config, epochs=1, log_every_steps=2)
    runs = {}
    for segment in ("tab", None):
        balancer = PAPERecConfig(segment=segment)
        chosen = wanted.model_copy(update={"balancer": balancer})
        folder = RunFolder(tmp_path / f"run-{segment}")
        runs[segment] = train_run(chosen, folder, prepared=prepared)
        lines = (folder.path / "log.jsonl").read_text().splitlines()
        events = [json.loads(line) for line in lines]
        weights_of_rows = [event for event in events if event["event"] == "row_weights"]
        assert len(weights_of_rows) > 1
        assert set(weights_of_rows[0]["tasks"]) == set(config.tasks)
        if segment is None:
            assert "segments" not in weights_of_rows[0]
        else:
            found = weights_of_rows[0]["segments"]
            assert sum(each["rows"] for each in found.values()) == 512
            tabs = pl.read_parquet(config.folder / "log.parquet")["tab"].unique()
            assert set(found) <= {f"tab={value}" for value in tabs}
            assert all(set(each["tasks"]) <= set(config.tasks) for each in found.values())
    assert same(runs["tab"], runs[None])


def test_the_metrics_of_the_folder_are_those_of_the_result(trained: TrainedRun) -> None:
    written = EvaluationResult.from_json(json.loads(trained.folder.metrics_path.read_text()))
    assert written.table.equals(trained.result.table, null_equal=True)
    assert set(trained.result.tasks()) == {"click", "long_view", "like", "watch"}


def test_evaluating_the_run_again_from_the_log_gives_the_same_numbers(trained: TrainedRun) -> None:
    again = evaluate_run(trained.folder).table
    assert again.drop("value", "low", "high").equals(
        trained.result.table.drop("value", "low", "high"), null_equal=True
    )
    for column in ("value", "low", "high"):
        np.testing.assert_allclose(again[column], trained.result.table[column], rtol=1e-5)


def test_the_scores_of_the_test_rows_are_kept_with_their_place_in_the_log(
    trained: TrainedRun, prepared: Prepared
) -> None:
    scores = pl.read_parquet(trained.folder.scores_path)
    test = prepared.split("test")
    assert scores.columns == ["row", "click", "long_view", "like", "watch"]
    assert scores["row"].to_list() == test.read(0, len(test)).row.tolist()
    assert scores["click"].is_between(0, 1).all()


def test_the_written_configuration_starts_the_same_run_from_anywhere(
    trained: TrainedRun, config: RunConfig
) -> None:
    again = trained.folder.read_config()
    assert again.tasks == config.tasks
    assert again.features == config.features
    assert again.training == config.training
    assert Path(str(again.data.log)).is_absolute()


def test_the_same_seed_trains_the_same_model(
    trained: TrainedRun, config: RunConfig, prepared: Prepared, tmp_path: Path
) -> None:
    torch.manual_seed(123)
    again = train_run(config, RunFolder(tmp_path / "run"), prepared=prepared)
    assert same(trained, again)
    assert again.result.table.equals(trained.result.table, null_equal=True)


def test_another_seed_trains_another_model(
    trained: TrainedRun, config: RunConfig, prepared: Prepared, tmp_path: Path
) -> None:
    other = train_run(changed(config, seed=2), RunFolder(tmp_path / "run"), prepared=prepared)
    assert not same(trained, other)


def test_a_run_that_was_cut_off_is_resumed_to_the_same_end(
    trained: TrainedRun, config: RunConfig, prepared: Prepared, tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path / "run")

    def cut(event: Progress, /) -> None:
        if event.stage == "train" and event.done == 7:  # an epoch has five steps
            raise Interrupted

    chatty = changed(config, log_every_steps=1)
    with pytest.raises(Interrupted):
        train_run(chatty, folder, prepared=prepared, listener=cut)
    assert not folder.metrics_path.exists()
    resumed = train_run(chatty, folder, prepared=prepared, resume=True)
    assert same(trained, resumed)
    assert resumed.report.best_step == trained.report.best_step
    assert resumed.result.table.equals(trained.result.table, null_equal=True)


def test_resuming_with_another_model_is_refused_and_leaves_the_run_as_it_was(
    trained: TrainedRun, config: RunConfig, prepared: Prepared
) -> None:
    before = trained.folder.config_path.read_bytes()
    other = config.model_copy(update={"model": config.model.model_copy(update={"wide": False})})
    with pytest.raises(RunError, match="does not fit this configuration"):
        train_run(other, trained.folder, prepared=prepared, resume=True)
    assert trained.folder.config_path.read_bytes() == before


def test_validation_rows_are_demanded(feed: Path, tmp_path: Path) -> None:
    config = load_config(feed, ["data.split.valid_fraction=0"])
    with pytest.raises(DataError, match="No row is left for validation") as error:
        train_run(config, RunFolder(tmp_path / "run"), prepared=prepare(config, tmp_path / "p"))
    assert "valid_fraction" in error.value.hint


def test_without_test_rows_the_validation_rows_are_evaluated(feed: Path, tmp_path: Path) -> None:
    config = changed(load_config(feed, ["data.split.test_fraction=0"]), epochs=1, tensorboard=False)
    prepared = prepare(config, tmp_path / "prepared")
    run = train_run(config, RunFolder(tmp_path / "run"), prepared=prepared)
    assert run.result.table["n_rows"].max() == len(prepared.split("valid"))


def test_the_test_rows_have_no_say_in_training(
    config: RunConfig, trained: TrainedRun, prepared: Prepared, tmp_path: Path
) -> None:
    log = pl.read_parquet(config.folder / "log.parquet").with_row_index("at")
    test = prepared.split("test")
    is_test = pl.col("at").is_in(test.read(0, len(test)).row.tolist())
    labels = ("is_click", "long_view", "is_like")
    flipped = [
        pl.when(is_test).then(1 - pl.col(name)).otherwise(pl.col(name)).alias(name)
        for name in labels
    ]
    other_items = pl.when(is_test).then(pl.lit(999_999)).otherwise(pl.col("item_id"))
    changed_log = log.with_columns(*flipped, other_items.alias("item_id")).drop("at")
    changed_log.write_parquet(tmp_path / "log.parquet")
    moved = config.at(tmp_path / "feed.toml")
    run = train_run(moved, RunFolder(tmp_path / "run"))
    assert run.report.best_step == trained.report.best_step
    assert same(trained, run)
    assert not run.result.table.equals(trained.result.table, null_equal=True)


def test_training_that_diverges_stops_with_step_and_task(
    config: RunConfig, prepared: Prepared, tmp_path: Path
) -> None:
    wild = changed(config, learning_rate=1e30, clip_norm=0.0)
    with pytest.raises(TrainingError, match=r"step \d+ \(epoch 1\): the loss is not finite for"):
        train_run(wild, RunFolder(tmp_path / "run"), prepared=prepared)


def test_a_fresh_folder_is_named_after_configuration_and_time(
    config: RunConfig, tmp_path: Path
) -> None:
    moved = config.at(tmp_path / "mine.toml")
    first, second = new_run_folder(moved), new_run_folder(moved)
    assert first.path.parent == tmp_path / "runs"
    assert first.path.name.startswith("mine-2")
    assert second.path != first.path
    assert second.path.is_dir()  # whoever starts in the same second gets another one


def test_a_folder_in_which_nothing_was_written_goes_again(feed: Path, tmp_path: Path) -> None:
    folder = new_run_folder(load_config(feed).at(tmp_path / "mine.toml"))
    config = load_config(feed, ["data.log=absent.parquet"])
    with pytest.raises(DataError):
        train_run(config, folder)
    assert not folder.path.exists()


def test_two_processes_in_one_run_folder_do_not_spoil_it(
    trained: TrainedRun, config: RunConfig, prepared: Prepared
) -> None:
    before = {path: path.read_bytes() for path in trained.folder.path.rglob("*") if path.is_file()}
    with (
        trained.folder.locked(),
        pytest.raises(RunError, match=r"The run folder .+ is in use by process \d+") as error,
    ):
        train_run(config, trained.folder, prepared=prepared, resume=True)
    assert "--out" in error.value.hint
    after = {path: path.read_bytes() for path in trained.folder.path.rglob("*") if path.is_file()}
    assert after == before


def test_data_that_is_being_trained_on_is_not_prepared_anew(
    config: RunConfig, tmp_path: Path
) -> None:
    prepared = prepare(config, tmp_path / "p")

    def intrude(event: Progress, /) -> None:
        if event.stage == "train":
            prepare(config, tmp_path / "p", force=True)

    with pytest.raises(RunError, match=r"prepared data .+ is in use by process"):
        train_run(config, RunFolder(tmp_path / "run"), prepared=prepared, listener=intrude)
    prepared.split("train").verify()


def test_the_log_of_a_resumed_run_is_that_of_an_undisturbed_one(
    config: RunConfig, prepared: Prepared, tmp_path: Path
) -> None:
    logs = []
    changes = changed(config, log_every_steps=3, checkpoint_every_s=1e-9)
    for name, steps in (("straight", ()), ("cut", (3, 6, 9))):
        folder = RunFolder(tmp_path / name)
        for step in steps:

            def cut(event: Progress, /, at: int = step) -> None:
                if event.stage == "train" and event.done == at:
                    raise Interrupted

            with pytest.raises(Interrupted):
                train_run(changes, folder, prepared=prepared, resume=True, listener=cut)
        train_run(changes, folder, prepared=prepared, resume=True)
        train_run(changes, folder, prepared=prepared, resume=True)  # nothing is left to do
        events = [json.loads(x) for x in (folder.path / "log.jsonl").read_text().splitlines()]
        assert events.pop()["event"] == "test"
        logs.append(events)
    assert logs[0] == logs[1]
    assert [event["step"] for event in logs[0]] == [3, 5, 5, 6, 9, 10, 10, 10]


def test_a_new_start_in_an_old_folder_forgets_the_old_run(
    config: RunConfig, prepared: Prepared, tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path / "run")
    train_run(changed(config, seed=2), folder, prepared=prepared)
    leftover = folder.checkpoints / ".last.safetensors.1.partial"
    leftover.touch()

    def cut(event: Progress, /) -> None:
        if event.stage == "train":
            raise Interrupted

    chatty = changed(config, log_every_steps=1)
    with pytest.raises(Interrupted):
        train_run(chatty, folder, prepared=prepared, listener=cut)
    assert not (folder.checkpoints / "last.safetensors").exists()
    assert not leftover.exists()
    assert len((folder.path / "log.jsonl").read_text().splitlines()) == 1


def test_a_resumed_run_must_have_as_many_steps_as_before(
    trained: TrainedRun, config: RunConfig, prepared: Prepared
) -> None:
    before = trained.folder.config_path.read_bytes()
    with pytest.raises(RunError, match=r"was saved in epochs of \d+ steps") as error:
        train_run(changed(config, batch_size=100), trained.folder, prepared=prepared, resume=True)
    assert trained.folder.config_path.read_bytes() == before
    assert "batch_size" in error.value.hint


def test_a_task_may_be_named_like_a_column_that_a_feature_reads(
    config: RunConfig, tmp_path: Path
) -> None:
    """Names of tasks are the user's own; only columns are the log's."""
    content = config.model_dump(mode="json", exclude_none=True)
    renamed = {"position": content["tasks"]["click"]}
    overridden = parse_config({**content, "tasks": renamed}, config.path)
    assert prepare(overridden, tmp_path / "prepared").manifest.layout.task_names == ("position",)


def test_ranks_among_items_of_one_length_train_and_are_read_back(
    config: RunConfig, prepared: Prepared, tmp_path: Path
) -> None:
    watch = {"loss": "d2q", "duration_feature": "duration_s", "n_groups": 4}
    tasks = config.tasks | {"watch": DurationTask(**{**vars(config.tasks["watch"]), **watch})}
    ranked = config.model_copy(update={"tasks": tasks})
    run = train_run(ranked, RunFolder(tmp_path / "run"), prepared=prepared)
    metrics = run.result.table.filter(pl.col("task") == "watch")["metric"].to_list()
    assert metrics == ["xauc", "mae", "rmse"]
    again = evaluate_run(run.folder).table
    np.testing.assert_allclose(again["value"], run.result.table["value"], rtol=1e-5)
    numbers = pl.read_parquet(run.folder.scores_path)
    train = prepared.split("train")
    longest = float(np.nanmax(train.read(0, len(train)).labels[:, 3]))
    assert numbers["watch"].is_between(0, longest).all()


def test_the_log_says_how_many_rows_the_weights_of_a_relation_are_worth(
    config: RunConfig, prepared: Prepared, tmp_path: Path
) -> None:
    model = config.model.model_copy(update={"relations": ESCM2Config()})
    config = changed(config.model_copy(update={"model": model}), epochs=1, log_every_steps=2)
    run = train_run(config, RunFolder(tmp_path / "run"), prepared=prepared)
    text = (run.folder.path / "log.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    steps = [line["effective_rows"] for line in lines if line["event"] == "train"]
    assert len(steps) == math.ceil(run.report.n_steps / 2)
    assert all(set(tasks) == {"like", "long_view"} for tasks in steps)
    assert all(0 < rows < 512 for tasks in steps for rows in tasks.values())


def test_rows_that_wait_are_trained_on_and_not_evaluated(config: RunConfig, tmp_path: Path) -> None:
    long = config.tasks["long_view"].model_copy(update={"matures_after": 9 * 86_400.0})
    delay = {"delayed_feedback": DelayConfig(mean_delay_s=4 * 86_400.0)}
    folders = (tmp_path / "out", tmp_path / "in")
    kinds = [long, long.model_copy(update=delay)]
    runs = []
    for folder, task in zip(folders, kinds, strict=True):
        tasks = config.tasks | {"long_view": task}
        changed_config = changed(config.model_copy(update={"tasks": tasks}), epochs=1)
        data = prepare(changed_config, folder / "prepared")
        runs.append((data, train_run(changed_config, RunFolder(folder / "run"), prepared=data)))
    (left_out, _), (kept, run) = runs
    rows, plain = kept.split("train").read(0, 10**6), left_out.split("train").read(0, 10**6)
    np.testing.assert_array_equal(rows.labels, plain.labels)
    waits = ~np.isnan(rows.numeric[:, -1])
    assert waits.any()
    assert np.isnan(rows.labels[waits, 1]).all()
    assert run.model.bank.out_dim == runs[0][1].model.bank.out_dim
    n_rows = [r.result.table.filter(pl.col("task") == "long_view")["n_rows"] for _, r in runs]
    assert n_rows[0].equals(n_rows[1])
    again = evaluate_run(run.folder).table
    np.testing.assert_allclose(again["value"], run.result.table["value"], rtol=1e-5)
    score, other = (pl.read_parquet(r.folder.scores_path)["long_view"].mean() for _, r in runs)
    assert other < 0.9 * score  # without young zeros, only ones are left among the young

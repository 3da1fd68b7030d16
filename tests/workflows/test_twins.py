"""Single-task twins of a multi-task run."""

import numpy as np
import polars as pl
import pytest

from paretorank.architectures import PEPNetConfig, SharedBottomConfig
from paretorank.config import RunConfig, load_config
from paretorank.workflows.evaluate import evaluate_run
from paretorank.workflows.ingest import Prepared, prepare
from paretorank.workflows.run_folder import RunFolder
from paretorank.workflows.train import train_run
from paretorank.workflows.twins import twin_config


def test_a_twin_has_one_task_and_the_bottom_of_the_experts(config: RunConfig) -> None:
    twin = twin_config(config, "like")
    assert list(twin.tasks) == ["like"]
    assert twin.tasks["like"].parent is None
    assert twin.model.architecture == SharedBottomConfig(hidden_dims=(8,))
    assert twin.balancer.kind == "equal"
    assert (twin.features, twin.path) == (config.features, config.path)
    assert twin.training == config.training


def test_the_bottom_of_a_shared_bottom_stays(config: RunConfig) -> None:
    bottom = SharedBottomConfig(hidden_dims=(5, 4), dropout_rate=0.1)
    model = config.model.model_copy(update={"architecture": bottom})
    twin = twin_config(config.model_copy(update={"model": model}), "click")
    assert twin.model.architecture == bottom


def test_the_bottom_of_a_gated_network_has_its_layers(config: RunConfig) -> None:
    gated = PEPNetConfig(prior=("user_id",), hidden_dims=(6, 3))
    model = config.model.model_copy(update={"architecture": gated})
    twin = twin_config(config.model_copy(update={"model": model}), "click")
    assert twin.model.architecture == SharedBottomConfig(hidden_dims=(6, 3))


def test_a_sample_space_that_names_a_task_becomes_a_condition_on_its_column(
    config: RunConfig,
) -> None:
    assert twin_config(config, "like").tasks["like"].observed_when == "is_click == 1"
    assert twin_config(config, "click").tasks["click"].observed_when is None


def test_sample_spaces_inside_each_other_are_joined(config: RunConfig) -> None:
    tasks = dict(config.tasks)
    tasks["click"] = tasks["click"].model_copy(update={"observed_when": "tab != 3"})
    twin = twin_config(config.model_copy(update={"tasks": tasks}), "like")
    assert twin.tasks["like"].observed_when == "is_click == 1 and (tab != 3)"


@pytest.mark.parametrize("task", ["click", "like", "watch"])
def test_twins_train_and_are_evaluated_alike_from_shards_and_from_the_log(
    config: RunConfig, prepared: Prepared, task: str
) -> None:
    folder = RunFolder(config.folder / "runs" / f"twin-{task}")
    run = train_run(twin_config(config, task), folder, prepared=prepared)
    assert run.result.tasks() == [task]
    assert pl.read_parquet(folder.scores_path).columns == ["row", task]
    again = evaluate_run(folder)
    assert again.table["n_rows"].to_list() == run.result.table["n_rows"].to_list()
    np.testing.assert_allclose(again.table["value"], run.result.table["value"], rtol=1e-5)


def test_a_twin_sees_the_same_rows_as_the_multi_task_run(
    config: RunConfig, prepared: Prepared
) -> None:
    folder = RunFolder(config.folder / "runs" / "twin-rows")
    twin = train_run(twin_config(config, "like"), folder, prepared=prepared)
    clicks = prepared.split("test", ["click"])
    n_clicks = int(clicks.read(0, len(clicks)).labels.sum())
    assert set(twin.result.table["n_rows"]) == {n_clicks}


def test_statistics_of_other_tasks_do_not_stand_in_the_way(
    config: RunConfig, tmp_path_factory: pytest.TempPathFactory
) -> None:
    named = load_config(config.path, ['statistics.user.tasks=["click"]']).model_copy(
        update={"training": config.training, "model": config.model}
    )
    folder = tmp_path_factory.mktemp("named")
    prepared = prepare(named, folder / "prepared")
    run = RunFolder(folder / "run")
    trained = train_run(twin_config(named, "like"), run, prepared=prepared)
    again = evaluate_run(run)
    np.testing.assert_allclose(again.table["value"], trained.result.table["value"], rtol=1e-5)

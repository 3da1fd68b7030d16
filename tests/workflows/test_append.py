"""A new day joins the prepared data, and training goes on with it."""

import shutil
from pathlib import Path

import polars as pl
import pytest

from paretorank.config import RunConfig, load_config
from paretorank.data.shard_format import MANIFEST
from paretorank.foundation.errors import DataError, RunError, ShardError
from paretorank.workflows.evaluate import evaluate_run
from paretorank.workflows.ingest import Prepared, append, prepare
from paretorank.workflows.predict import load_model, predict_frame
from paretorank.workflows.ranker import Ranker
from paretorank.workflows.run_folder import RunFolder
from paretorank.workflows.train import train_run


@pytest.fixture
def days(feed: Path, tmp_path: Path) -> list[pl.DataFrame]:
    """Return the rows of three days, the first of which is written."""
    log = pl.read_parquet(feed.parent / "log.parquet").sort("time_ms")
    shutil.copy(feed, tmp_path / "feed.toml")
    (tmp_path / "log").mkdir()
    days = [log.slice(1_000 * number, 1_000) for number in range(3)]
    days[0].write_parquet(tmp_path / "log" / "0.parquet")
    return days


@pytest.fixture
def settings(config: RunConfig, days: list[pl.DataFrame], tmp_path: Path) -> RunConfig:
    assert len(days) == 3
    training = config.training.model_copy(update={"epochs": 1})
    data = config.data.model_copy(update={"log": "log"})
    changed = config.model_copy(update={"data": data, "training": training})
    return changed.at(tmp_path / "feed.toml")


def _next_day(config: RunConfig, days: list[pl.DataFrame], number: int) -> Prepared:
    days[number].write_parquet(config.folder / "log" / f"{number}.parquet")
    return append(config)


def test_an_appended_data_set_is_not_prepared_again(
    settings: RunConfig, days: list[pl.DataFrame]
) -> None:
    prepare(settings)
    for number in (1, 2):
        appended = _next_day(settings, days, number)
        assert not appended.was_there
        assert appended.appended_rows == 1_000
        assert [Path(name).name for name in appended.new_files] == [f"{number}.parquet"]
    again = prepare(settings)
    assert again.was_there
    assert again.manifest == appended.manifest
    assert append(settings).was_there
    assert not prepare(settings, force=True).was_there
    assert prepare(settings).manifest.split_from == 0


def test_files_may_be_listed_one_by_one(settings: RunConfig, days: list[pl.DataFrame]) -> None:
    def listed(*names: str) -> RunConfig:
        data = settings.data.model_copy(update={"log": names})
        return settings.model_copy(update={"data": data}).at(settings.path)

    prepare(listed("log/0.parquet"))
    days[1].write_parquet(settings.folder / "log" / "1.parquet")
    appended = append(listed("log/0.parquet", "log/1.parquet"))
    assert appended.appended_rows == 1_000
    assert prepare(settings).was_there  # the same files, named as a folder


def test_a_run_on_the_appended_data_is_evaluated_on_its_own_test_rows(
    settings: RunConfig, days: list[pl.DataFrame], tmp_path: Path
) -> None:
    before = prepare(settings)
    appended = _next_day(settings, days, 1)
    old, new = before.manifest.layout, appended.manifest.layout
    assert new.table("item_id").n_codes > old.table("item_id").n_codes
    run = train_run(settings, RunFolder(tmp_path / "run"))
    result = evaluate_run(run.folder, n_resamples=0)
    n_test = appended.manifest.n_rows("test")
    clicks = result.table.filter(task="click", metric="auc", segment="all")
    told = run.result.table.filter(task="click", metric="auc", segment="all")
    assert clicks["n_rows"].unique().to_list() == [n_test]
    assert clicks["value"].to_list() == pytest.approx(told["value"].to_list(), abs=1e-6)
    again = Ranker.load(run.folder.path).evaluate().table
    assert again.filter(task="click", metric="auc", segment="all")["value"].to_list() == (
        clicks["value"].to_list()
    )


def test_a_run_of_before_keeps_its_encoder(
    settings: RunConfig, days: list[pl.DataFrame], tmp_path: Path
) -> None:
    run = train_run(settings, RunFolder(tmp_path / "run"))
    encoder = run.folder.read_encoder()
    _next_day(settings, days, 1)
    assert run.folder.read_encoder().layout == encoder.layout
    model, own, config = load_model(run.folder)
    assert len(predict_frame(model, own, config, days[2].lazy())) == 1_000
    with pytest.raises(RunError, match="the log is not as it was"):
        evaluate_run(run.folder)


@pytest.mark.parametrize(
    ("override", "part"),
    [
        ("features.tag.min_count=9", "features"),
        ("statistics.item.smoothing=9.0", "statistics"),
        ('tasks.like.observed_when="long_view"', "tasks"),
        ("data.split.valid_fraction=0.2", "data.split"),
    ],
)
def test_a_changed_configuration_is_refused_by_name(
    settings: RunConfig, days: list[pl.DataFrame], override: str, part: str
) -> None:
    prepare(settings)
    days[1].write_parquet(settings.folder / "log" / "1.parquet")
    tasks = ('tasks.like.observed_when="click"',) if part != "tasks" else ()
    other = load_config(settings.path, ['data.log="log"', *tasks, override])
    with pytest.raises(ShardError, match=f"what differs: {part}") as caught:
        append(other)
    assert "--force" in caught.value.hint


def test_a_file_that_changed_is_named_and_nothing_is_touched(
    settings: RunConfig, days: list[pl.DataFrame]
) -> None:
    folder = prepare(settings).folder
    before = (folder / MANIFEST).read_bytes()
    days[2].write_parquet(settings.folder / "log" / "0.parquet")
    with pytest.raises(DataError, match=r"0\.parquet has changed"):
        _next_day(settings, days, 1)
    assert (folder / MANIFEST).read_bytes() == before


def test_without_a_prepared_data_set_there_is_nothing_to_append_to(
    settings: RunConfig, days: list[pl.DataFrame]
) -> None:
    with pytest.raises(ShardError, match="holds no prepared data set") as caught:
        _next_day(settings, days, 1)
    assert "paretorank ingest CONFIG" in caught.value.hint


def test_nobody_appends_while_another_process_reads(
    settings: RunConfig, days: list[pl.DataFrame]
) -> None:
    prepared = prepare(settings)
    with prepared.in_use(), pytest.raises(RunError, match="is in use by process"):
        _next_day(settings, days, 1)

"""The Python face."""

import gc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import paretorank
from paretorank import Ranker
from paretorank.config import RunConfig
from paretorank.foundation.errors import DataError, RunError

TASKS = ["click", "long_view", "like", "watch"]


@pytest.fixture(scope="module")
def log(config: RunConfig) -> pl.DataFrame:
    return pl.read_parquet(config.folder / "log.parquet")


@pytest.fixture(scope="module")
def ranker(config: RunConfig, log: pl.DataFrame) -> Ranker:
    return Ranker.from_config(config).fit(log.head(2_700))


def as_dict(frame: pl.DataFrame) -> dict[str, Any]:
    return {name: frame[name].to_numpy() for name in frame.columns}


def as_pandas(frame: pl.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(as_dict(frame))


FORMS: dict[str, Callable[[pl.DataFrame], Any]] = {
    "polars": lambda frame: frame,
    "lazy": lambda frame: frame.lazy(),
    "dict": as_dict,
    "pandas": as_pandas,
    "arrow": lambda frame: frame.to_arrow(),
}


@pytest.mark.parametrize("form", FORMS)
def test_rows_may_come_in_any_form(ranker: Ranker, log: pl.DataFrame, form: str) -> None:
    rows = log.tail(50).drop("long_view")  # a label with nulls
    expected, scores = ranker.predict(rows), ranker.predict(FORMS[form](rows))
    assert scores.columns == ["user_id", "item_id", "request_id", *TASKS]
    np.testing.assert_allclose(scores.select(TASKS), expected.select(TASKS), rtol=1e-6)


@pytest.mark.parametrize("ending", ["parquet", "csv", "arrow"])
def test_rows_may_come_from_a_file(
    ranker: Ranker, log: pl.DataFrame, ending: str, tmp_path: Path
) -> None:
    rows, path = log.tail(50), tmp_path / f"rows.{ending}"
    write = {"parquet": rows.write_parquet, "csv": rows.write_csv, "arrow": rows.write_ipc}
    write[ending](path)
    expected = ranker.predict(rows).select(TASKS)
    for place in (path, str(path), [path]):
        np.testing.assert_allclose(ranker.predict(place).select(TASKS), expected, rtol=1e-5)


def test_an_arrow_table_of_another_library_is_read_too(ranker: Ranker, log: pl.DataFrame) -> None:
    table = pa.Table.from_pydict(log.tail(20).drop("long_view").to_dict(as_series=False))
    assert len(ranker.predict(table)) == 20


def test_what_is_no_table_is_refused(ranker: Ranker) -> None:
    with pytest.raises(DataError, match="is a int, which cannot be read as a table"):
        ranker.predict(3)


def test_fit_returns_itself_and_reports(ranker: Ranker, config: RunConfig) -> None:
    assert isinstance(ranker, Ranker)
    assert ranker.report is not None
    assert ranker.report.n_steps == 5 * config.training.epochs
    assert ranker.model.task_names == tuple(TASKS)
    assert "user_id" in ranker.encoder.columns


def test_validation_rows_may_be_given(config: RunConfig, log: pl.DataFrame, tmp_path: Path) -> None:
    fitted = Ranker.from_config(config).fit(
        as_pandas(log.head(2_000)), valid=log.tail(500), folder=tmp_path / "run"
    )
    scores = pl.read_parquet(tmp_path / "run" / "scores.parquet")
    assert scores["row"].to_list() == list(range(2_000, 2_500))
    assert len(fitted.predict(log.tail(3))) == 3


def test_without_rows_the_log_of_the_configuration_is_used(feed: Path, log: pl.DataFrame) -> None:
    small = ["model.architecture.kind=mmoe", "model.architecture.expert_dims=[8]"]
    quick = ["training.tensorboard=false", "training.epochs=1"]
    fitted = Ranker.from_config(str(feed), [*small, *quick]).fit()
    result = fitted.evaluate()
    assert result.tasks() == TASKS
    assert result.table["n_rows"].max() < len(log) / 5


def test_evaluate_takes_rows_and_segments(ranker: Ranker, log: pl.DataFrame) -> None:
    result = ranker.evaluate(log.tail(300), by="tab")
    assert result.value("click", "auc") > 0.4
    assert result.table["segment"].n_unique() > 1


def test_a_saved_ranker_predicts_the_same_to_the_last_bit(
    ranker: Ranker, log: pl.DataFrame, tmp_path: Path
) -> None:
    ranker.save(tmp_path / "bundle")
    loaded = Ranker.load(tmp_path / "bundle")
    rows = log.tail(100)
    assert loaded.predict(rows).equals(ranker.predict(rows))
    again = ranker.evaluate(rows).table
    assert loaded.evaluate(rows).table.equals(again, null_equal=True)


def test_a_loaded_ranker_can_be_saved_again(ranker: Ranker, tmp_path: Path) -> None:
    ranker.save(tmp_path / "one")
    Ranker.load(tmp_path / "one").save(tmp_path / "two")
    assert Ranker.load(tmp_path / "two").model.task_names == tuple(TASKS)


def test_before_fit_there_is_nothing_to_ask(config: RunConfig, tmp_path: Path) -> None:
    unfitted = Ranker(config)
    for ask in (
        lambda: unfitted.predict({"user_id": [1]}),
        unfitted.evaluate,
        lambda: unfitted.save(tmp_path / "x"),
        lambda: unfitted.model,
        lambda: unfitted.encoder,
    ):
        with pytest.raises(RunError, match="is not fitted") as error:
            ask()
        assert "fit" in error.value.hint


def test_loading_a_folder_that_holds_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no run"):
        Ranker.load(tmp_path)


def test_a_temporary_run_goes_away_with_its_ranker_without_a_warning(
    config: RunConfig, log: pl.DataFrame
) -> None:
    short = config.training.model_copy(update={"epochs": 1})
    fitted = Ranker(config.model_copy(update={"training": short})).fit(log.head(1_000))
    assert fitted._folder is not None
    scratch = fitted._folder.path.parent
    assert scratch.exists()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del fitted
        gc.collect()
    assert not scratch.exists()


def test_the_package_offers_the_ranker() -> None:
    assert paretorank.Ranker is Ranker
    with pytest.raises(AttributeError, match="no attribute 'Rankr'"):
        _ = paretorank.Rankr

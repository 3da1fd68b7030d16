"""ingest, train, evaluate, predict: results, machine-readable results, and mistakes."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

Ask = Callable[..., Any]
TASKS = ["click", "long_view", "like", "watch"]


@pytest.fixture
def copied(feed: Path, tmp_path: Path) -> Path:
    for name in ("feed.toml", "log.parquet"):
        shutil.copy(feed.parent / name, tmp_path / name)
    return tmp_path / "feed.toml"


def test_ingest_counts_rows_and_labels_and_does_nothing_twice(ask: Ask, copied: Path) -> None:
    first = ask("ingest", copied, "--json")
    assert first.code == 0
    assert sum(first.json["rows"].values()) == 2_000
    assert first.json["unchanged"] is False
    assert {label["task"] for label in first.json["labels"]} == set(TASKS)
    again = ask("ingest", copied)
    assert again.code == 0
    assert "unchanged, nothing to do" in again.out
    assert "long_view" in again.out
    assert ask("ingest", copied, "--force", "--json").json["unchanged"] is False


def test_ingest_writes_where_it_is_told(ask: Ask, copied: Path, tmp_path: Path) -> None:
    answer = ask("ingest", copied, "--out", tmp_path / "here", "--json")
    assert answer.json["folder"] == str(tmp_path / "here")
    assert (tmp_path / "here" / "manifest.json").exists()


def test_train_prints_a_table_and_the_next_command(ask: Ask, feed: Path, tmp_path: Path) -> None:
    answer = ask("train", feed, "--out", tmp_path / "run", "--set", "training.epochs=1")
    assert answer.code == 0
    assert f"run folder: {tmp_path / 'run'}" in answer.err
    for word in (*TASKS, "auc", "steps in", f"next: paretorank evaluate {tmp_path / 'run'}"):
        assert word in answer.out
    assert (tmp_path / "run" / "metrics.json").exists()


def test_train_answers_in_json(ask: Ask, feed: Path, tmp_path: Path) -> None:
    settings = ["--set", "training.epochs=1", "--set", "balancer.kind=uncertainty"]
    answer = ask("train", feed, "--out", tmp_path / "run", *settings, "--json")
    assert answer.json["folder"] == str(tmp_path / "run")
    assert answer.json["report"]["n_steps"] == 4
    assert {line["task"] for line in answer.json["metrics"]} == set(TASKS)


def test_train_chooses_a_folder_beside_the_configuration(ask: Ask, copied: Path) -> None:
    answer = ask("train", copied, "--set", "training.epochs=1", "--json")
    assert Path(answer.json["folder"]).parent == copied.parent / "runs"


def test_train_does_not_overwrite_a_run_but_resumes_it(
    ask: Ask, feed: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    assert ask("train", feed, "--out", run, "--set", "training.epochs=1").code == 0
    refused = ask("train", feed, "--out", run)
    assert refused.code == 2
    assert "already holds a run" in refused.err
    assert f"--resume {run}" in refused.err
    resumed = ask("train", feed, "--resume", run, "--set", "training.epochs=2", "--json")
    assert resumed.code == 0
    assert resumed.json["report"]["n_steps"] == 8


def test_train_does_not_resume_what_was_never_begun(ask: Ask, feed: Path, tmp_path: Path) -> None:
    answer = ask("train", feed, "--resume", tmp_path / "rnu")
    assert answer.code == 2
    assert "holds no run" in answer.err
    assert not (tmp_path / "rnu").exists()


def test_evaluate_prints_metrics_of_segments(ask: Ask, run_folder: Path) -> None:
    answer = ask("evaluate", run_folder, "--by", "tab")
    assert answer.code == 0
    for word in ("segment", "tab=", "auc", "±"):
        assert word in answer.out


def test_evaluate_answers_in_json_for_a_split_or_new_rows(
    ask: Ask, run_folder: Path, feed: Path, tmp_path: Path
) -> None:
    test = ask("evaluate", run_folder, "--json", "--resamples", 0).json
    valid = ask("evaluate", run_folder, "--split", "valid", "--json", "--resamples", 0).json
    assert test != valid
    assert all(line["low"] is None for line in test)
    rows = tmp_path / "rows.csv"
    pl.read_parquet(feed.parent / "log.parquet").tail(100).write_csv(rows)
    new = ask("evaluate", run_folder, "--data", rows, "--json").json
    assert {line["n_rows"] for line in new} == {100}


def test_predict_writes_named_scores(
    ask: Ask, run_folder: Path, feed: Path, tmp_path: Path
) -> None:
    log, out = feed.parent / "log.parquet", tmp_path / "scores.csv"
    answer = ask("predict", run_folder, "--data", log, "--out", out)
    assert answer.code == 0
    assert "2,000 rows" in answer.out
    scores = pl.read_csv(out)
    assert scores.columns == ["user_id", "item_id", "request_id", *TASKS]
    as_json = ask("predict", run_folder, "--data", log, "--out", tmp_path / "s.parquet", "--json")
    assert as_json.json == {
        "out": str(tmp_path / "s.parquet"),
        "rows": 2000,
        "columns": scores.columns,
    }
    assert pl.read_parquet(tmp_path / "s.parquet")["click"][7] == pytest.approx(scores["click"][7])


@pytest.mark.parametrize(
    ("arguments", "problem", "hint"),
    [
        (("train", "nothing.toml"), "nothing.toml does not exist", "paretorank init"),
        (("ingest", "nothing.toml"), "nothing.toml does not exist", "paretorank init"),
        (("evaluate", "no/run"), "no/run holds no run", "paretorank train"),
        (
            ("predict", "no/run", "--data", "a.csv", "--out", "b.csv"),
            "no/run holds no run",
            "paretorank train",
        ),
    ],
)
def test_mistakes_end_with_two_and_say_what_to_do(
    ask: Ask, arguments: tuple[str, ...], problem: str, hint: str
) -> None:
    answer = ask(*arguments)
    assert answer.code == 2
    assert answer.out == ""
    assert f"error: {problem}" in answer.err
    assert "hint:" in answer.err
    assert hint in answer.err
    assert "Traceback" not in answer.err


@pytest.mark.parametrize(
    ("setting", "problem", "hint"),
    [
        ("training.epoch=1", "training.epoch is not a key", "Did you mean 'epochs'?"),
        ("training.epochs=[1]", "training.epochs = [1]: input should be", "explain training"),
        ("training.epochs", "not of the form key=value", "--set training.epochs=2"),
        ("model.tower_dropout_rate=1", "model.tower_dropout_rate = 1", "what is allowed"),
        ("data.log=gone.csv", "gone.csv names no file", "spelling"),
        ("features.user_id.column=usr_id", "'usr_id'", "Did you mean 'user_id'?"),
        ("tasks.like.parent=clik", "'clik'", "Did you mean 'click'?"),
        ("data.split.by=user", "valid", ""),
    ],
)
def test_settings_that_make_no_sense_are_explained(
    ask: Ask, feed: Path, setting: str, problem: str, hint: str
) -> None:
    extra = ["--set", "data.split.valid_fraction=0"] if "split" in setting else []
    answer = ask("train", feed, "--set", setting, *extra)
    assert answer.code == 2
    assert problem in answer.err
    assert hint in answer.err
    assert "Traceback" not in answer.err


def test_square_brackets_of_an_error_are_not_taken_for_markup(ask: Ask, feed: Path) -> None:
    answer = ask("train", feed, "--set", 'training.epochs="[bold]"')
    assert "[bold]" in answer.err


@pytest.mark.parametrize(
    "arguments", [("train",), ("trian", "x.toml"), ("evaluate", "run", "--split", "train")]
)
def test_wrong_usage_ends_with_two(ask: Ask, arguments: tuple[str, ...]) -> None:
    answer = ask(*arguments)
    assert answer.code == 2
    assert answer.err


def test_train_without_configuration_and_run_asks_for_one(ask: Ask) -> None:
    answer = ask("train")
    assert answer.code == 2
    assert "CONFIG is missing" in answer.err


def test_a_run_goes_on_without_naming_its_configuration(
    ask: Ask, copied: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    first = ask("train", copied, "--out", run, "--set", "training.epochs=1", "--json")
    again = ask("train", "--resume", run, "--json")
    assert again.code == 0
    assert again.json["metrics"] == first.json["metrics"]
    assert not (run / "config.prepared").exists()  # the rows were prepared already


def test_without_a_test_split_the_rows_are_called_what_they_are(
    ask: Ask, copied: Path, tmp_path: Path
) -> None:
    settings = ("--set", "training.epochs=1", "--set", "data.split.test_fraction=0.0")
    answer = ask("train", copied, "--out", tmp_path / "run", *settings)
    assert "Validation rows" in answer.out
    assert "Test rows" not in answer.out


@pytest.fixture
def daily(copied: Path) -> Path:
    """Return a configuration whose log is a folder with the first of two days."""
    log = pl.read_parquet(copied.parent / "log.parquet").sort("time_ms")
    (copied.parent / "log").mkdir()
    log.head(1_200).write_parquet(copied.parent / "log" / "1.parquet")
    log.tail(800).write_parquet(copied.parent / "2.parquet")
    copied.write_text(copied.read_text().replace('log = "log.parquet"', 'log = "log"'))
    return copied


def test_ingest_appends_a_new_day_once(ask: Ask, daily: Path) -> None:
    refused = ask("ingest", daily, "--append")
    assert refused.code == 2
    assert "holds no prepared data set" in refused.err
    assert ask("ingest", daily).code == 0
    (daily.parent / "2.parquet").rename(daily.parent / "log" / "2.parquet")
    answer = ask("ingest", daily, "--append", "--json").json
    assert answer["appended_rows"] == 800
    assert answer["new_files"] == [str(daily.parent / "log" / "2.parquet")]
    assert answer["unchanged"] is False
    assert answer["rows"] == {"train": 1_840, "valid": 80, "test": 80}
    again = ask("ingest", daily, "--append")
    assert again.code == 0
    assert "nothing to append" in again.out
    assert ask("ingest", daily, "--json").json["unchanged"] is True
    assert "appended_rows" not in ask("ingest", daily, "--json").json


def test_ingest_says_how_much_was_appended(ask: Ask, daily: Path) -> None:
    ask("ingest", daily)
    (daily.parent / "2.parquet").rename(daily.parent / "log" / "2.parquet")
    answer = ask("ingest", daily, "--append")
    assert "800 rows of 1 new file appended" in answer.out
    assert "long_view" in answer.out


def test_ingest_does_not_append_and_begin_anew(ask: Ask, daily: Path) -> None:
    answer = ask("ingest", daily, "--append", "--force")
    assert answer.code == 2
    assert "not both" in answer.err

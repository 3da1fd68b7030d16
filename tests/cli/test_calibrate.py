"""`paretorank calibrate` as a user meets it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

Ask = Callable[..., Any]


@pytest.fixture
def run(run_folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(run_folder, tmp_path / "run")
    return tmp_path / "run"


def test_calibrate_prints_maps_and_what_they_change(ask: Ask, run: Path) -> None:
    answer = ask("calibrate", run, "--by", "tab", "--by-activity", "--reliability")
    assert answer.code == 0, answer.err
    for word in ("click", "PCOC", "ECE", "log loss", "->", "tab=", "activity=10", "predicted"):
        assert word in answer.out
    assert f"next: paretorank evaluate {run}" in answer.out
    assert (run / "calibration.json").exists()


def test_what_no_map_has_changed_is_printed_once(ask: Ask, run: Path) -> None:
    answer = ask("calibrate", run, "--method", "identity", "--reliability")
    shown = " ".join(answer.out.split())  # a title is as wide as its table
    assert "test rows, before and after" in shown
    assert "test rows, after" not in shown


def test_calibrate_answers_in_json_what_the_run_keeps(ask: Ask, run: Path) -> None:
    answer = ask("calibrate", run, "--method", "platt", "--keep-rate", "click=0.5", "--json").json
    click = answer["calibration"]["tasks"][0]
    assert click["keep_rate"] == 0.5
    assert click["everywhere"]["kind"] == "platt"
    assert {line["stage"] for line in answer["lines"]} == {"before", "after"}


def test_calibration_can_be_left_out(ask: Ask, run: Path, feed: Path, tmp_path: Path) -> None:
    def clicks(*options: str) -> list[float]:
        out = tmp_path / "scores.parquet"
        log = feed.parent / "log.parquet"
        assert ask("predict", run, "--data", log, "--out", out, *options).code == 0
        return pl.read_parquet(out)["click"].to_list()

    raw, table = clicks(), ask("evaluate", run, "--json", "--resamples", 0).json
    assert ask("calibrate", run, "--method", "platt").code == 0
    assert clicks() != raw
    assert clicks("--no-calibration") == raw
    off = ask("evaluate", run, "--json", "--resamples", 0, "--no-calibration").json
    assert off == table
    assert ask("evaluate", run, "--json", "--resamples", 0).json != table


@pytest.mark.parametrize(
    ("arguments", "problem", "hint"),
    [
        (("--keep-rate", "click"), "not of the form TASK=RATE", "click=0.1"),
        (("--keep-rate", "clik=0.1"), "binary task, got 'clik'", "Did you mean 'click'?"),
        (("--keep-rate", "click=2"), "at most 1, got 2.0", "click=0.1"),
        (("--by", "tabb"), "--by asks for the column 'tabb'", "Did you mean 'tab'?"),
        (("--segment", "tabb"), "--segment asks for the column 'tabb'", "Did you mean 'tab'?"),
    ],
)
def test_mistakes_are_explained(
    ask: Ask, run: Path, arguments: tuple[str, ...], problem: str, hint: str
) -> None:
    answer = ask("calibrate", run, *arguments)
    assert answer.code == 2
    assert problem in answer.err
    assert hint in answer.err
    assert not (run / "calibration.json").exists()


def test_a_damaged_calibration_is_an_error_and_no_crash(ask: Ask, run: Path) -> None:
    (run / "calibration.json").write_text("{")
    answer = ask("evaluate", run)
    assert answer.code == 2
    assert "calibration.json is damaged" in answer.err
    assert "Traceback" not in answer.err

"""front, and preferences on the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from paretorank.cli import console

Ask = Callable[..., Any]
TWO = ("--objective", "click.auc", "--objective", "like.auc")
TOLD = ("--set", "model.preference.kind=film", "--set", "balancer.kind=preference")


@pytest.fixture
def told(ask: Ask, feed: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "told"
    answer = ask("train", feed, *TOLD, "--set", "training.epochs=1", "--out", folder)
    assert answer.code == 0
    return folder


def test_one_run_answers_for_every_preference(ask: Ask, told: Path, feed: Path) -> None:
    answer = ask("front", told, *TWO, "--points", 3, "--at-least", "like.auc=0.1")
    assert answer.code == 0
    for word in ("click=0.5 like=0.5", "hypervolume", "from click.auc", "with like.auc >= 0.1"):
        assert word in answer.out
    written = json.loads((told / "front.json").read_text())
    assert [one["setting"]["click"] for one in written["points"]] == [1.0, 0.5, 0.0]
    assert ask("front", told, *TWO, "--points", 3, "--json").json["points"] == written["points"]
    assert "'click.acu'" in ask("front", told, "--objective", "click.acu").err
    log, out = feed.parent / "log.parquet", told / "scores.parquet"
    told_so = ("predict", told, "--data", log, "--out", out)
    assert ask(*told_so, "--preference", "click=7,like=3").code == 0
    assert ask("evaluate", told, "--preference", "like=1", "--json").code == 0
    wrong = ask(*told_so, "--preference", "click=much")
    assert (wrong.code, "not a number" in wrong.err) == (2, True)
    both = ask(*told_so, "--preference", "click=1", "--preference-columns", "click=tab")
    assert "Give one of them" in both.err


@pytest.mark.parametrize("width", [80, 100])
def test_tables_are_whole_in_a_terminal(
    ask: Ask, told: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setattr(console, "out", Console(width=width, highlight=False))
    answer = ask("front", told, "--points", 6, "--resamples", 5)
    assert answer.code == 0
    table = answer.out.partition("hypervolume")[0]
    for word in ("long_view", "xauc", "front", "draws", "watch=1", "%", "yes"):
        assert word in table
    assert max(map(len, table.splitlines())) <= width
    steps = answer.out.partition("Exchange rates")[2]
    assert "of 1" in steps or "trade nothing" in answer.out


def test_several_runs_are_compared_and_written_where_it_is_told(
    ask: Ask, told: Path, run_folder: Path, tmp_path: Path
) -> None:
    answer = ask("front", run_folder, told, "--resamples", 0)
    assert answer.code == 0
    assert "nothing is written without --out" in answer.out
    answer = ask("front", run_folder, told, "--out", tmp_path / "kept", "--json")
    assert len(answer.json["objectives"]) == 4
    assert (tmp_path / "kept" / "front.json").exists()


def test_a_grid_of_bounds_is_trained_from_a_configuration(
    ask: Ask, feed: Path, tmp_path: Path
) -> None:
    grid = ("--bounds-grid", 2, "--out", tmp_path, "--set", "training.epochs=1", "--resamples", 5)
    answer = ask("front", feed, *TWO, *grid, "--json")
    assert [one["setting"] for one in answer.json["points"]] == [
        {"click": 0.8, "like": 0.0},
        {"click": 0.0, "like": 0.8},
    ]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--preference-free"], "No such option"),
        (["--at-least", "click.auc"], "not of the form name=value"),
        ([], "one point, and no front"),
    ],
)
def test_mistakes_are_named(ask: Ask, run_folder: Path, arguments: list[str], problem: str) -> None:
    answer = ask("front", run_folder, *arguments)
    assert answer.code == 2
    assert problem in answer.err


def test_a_configuration_alone_is_no_front(ask: Ask, feed: Path) -> None:
    answer = ask("front", feed)
    assert (answer.code, "is a configuration, not a run" in answer.err) == (2, True)

"""Built-in data, adapters, and the demo."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from paretorank.workflows import demo

Ask = Callable[..., Any]


def test_data_list_names_what_can_be_had(ask: Ask) -> None:
    assert [entry["name"] for entry in ask("data", "list", "--json").json] == ["feed", "kuairand"]
    table = ask("data", "list")
    assert table.code == 0
    assert "kuairand" in table.out
    assert "--from FOLDER" in table.out


def test_data_get_feed_writes_a_log_and_a_configuration(ask: Ask, tmp_path: Path) -> None:
    target = tmp_path / "here"
    size = ["--rows", 1_000, "--seed", 3, "--relatedness", -0.5]
    answer = ask("data", "get", "feed", "--out", target, *size, "--json")
    assert answer.json == {"config": str(target / "feed.toml")}
    assert len(pl.read_parquet(target / "log.parquet")) == 1_000
    text = ask("data", "get", "feed", "--out", target, *size)
    assert f"paretorank train {target / 'feed.toml'}" in text.out


def test_data_get_knows_its_names(ask: Ask) -> None:
    answer = ask("data", "get", "kuairnd")
    assert answer.code == 2
    assert "Did you mean 'kuairand'?" in answer.err


def test_data_get_kuairand_needs_the_published_files(ask: Ask, tmp_path: Path) -> None:
    answer = ask("data", "get", "kuairand")
    assert answer.code == 2
    assert "--from FOLDER" in answer.err
    empty = ask("data", "get", "kuairand", "--from", tmp_path, "--out", tmp_path / "out")
    assert empty.code == 2
    assert "hint:" in empty.err


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_QUICK_ROWS", 1_500)
    monkeypatch.setattr(demo, "_EXPERT_DIMS", (4,))


@pytest.mark.usefixtures("tiny")
def test_demo_prints_a_table_and_what_to_try_next(ask: Ask, tmp_path: Path) -> None:
    out = tmp_path / "demo"
    answer = ask("demo", "--quick", "--out", out)
    assert answer.code == 0
    for word in ("single-task twins", "attention_mmoe", "uncertainty", "ceiling", "auc"):
        assert word in answer.out
    assert "paretorank init LOG.parquet" in answer.out
    assert f"paretorank evaluate {out}/runs/mmoe-uncertainty --by tab" in answer.out
    evaluated = ask("evaluate", out / "runs" / "mmoe-uncertainty", "--by", "tab", "--resamples", 0)
    assert evaluated.code == 0


@pytest.mark.usefixtures("tiny")
def test_demo_answers_in_json_and_replaces_an_earlier_one(ask: Ask, tmp_path: Path) -> None:
    out = tmp_path / "demo"
    out.mkdir()
    (out / "feed.toml").write_text("left by an earlier demo")
    answer = ask("demo", "--quick", "--out", out, "--json")
    assert answer.json["config"] == str(out / "feed.toml")
    assert len(answer.json["rows"]) == 8


def test_demo_does_not_delete_a_folder_that_is_not_its_own(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    answer = ask("demo", "--quick", "--out", tmp_path)
    assert answer.code == 2
    assert "is no earlier demo" in answer.err
    assert (tmp_path / "thesis.tex").exists()

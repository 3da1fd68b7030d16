"""`paretorank fuse` and `predict --fused`: results, mistakes, and interruptions."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import polars as pl
import pytest

from paretorank.fusion.search import Search

Ask = Callable[..., Any]
QUICK = ("--trials", 4, "--resamples", 10)
METRIC = ("--maximise", "long_view.ndcg@10")


def test_fuse_prints_what_was_compared_and_the_formula(
    ask: Ask, run_folder: Path, tmp_path: Path
) -> None:
    bound = ("--at-least", "click.ndcg@10=-1%", "--also", "watch.mean@1")
    answer = ask("fuse", run_folder, *METRIC, *bound, *QUICK, "--out", tmp_path / "f")
    assert answer.code == 0
    for word in ("baseline", "click alone", "start", "click.ndcg@10=-1%", "watch.mean@1", " *"):
        assert word in answer.out
    assert "chosen: " in answer.out
    assert "formula: " in answer.out
    assert "baseline: click\n" in answer.out
    for word in ("4 weights were tried", "rows of one request_id", "have one row", "user_id"):
        assert word in answer.err
    assert (tmp_path / "f" / "fusion.json").exists()


def test_fuse_prints_what_a_front_costs(ask: Ask, run_folder: Path, tmp_path: Path) -> None:
    two = (*METRIC, "--maximise", "value@5", "--value", "click=1,like=9", "--baseline", "watch")
    answer = ask("fuse", run_folder, *two, *QUICK, "--out", tmp_path / "f")
    assert answer.code == 0
    assert "hypervolume" in answer.out
    assert "from the baseline on" in answer.out
    assert " front" in answer.out


def test_fuse_answers_in_json_and_predict_adds_the_fused_score(
    ask: Ask, run_folder: Path, feed: Path, tmp_path: Path
) -> None:
    log, out = feed.parent / "log.parquet", tmp_path / "scores.parquet"
    early = ask("predict", run_folder, "--data", log, "--out", out, "--fused")
    assert early.code == 2
    assert "no weights were searched" in early.err
    answer = ask("fuse", run_folder, *METRIC, "--formula", "click * like^$w", *QUICK, "--json")
    assert answer.code == 0
    assert answer.json["settings"]["formula"] == "click * like^$w"
    assert answer.json["formula"] in {point["formula"] for point in answer.json["points"]}
    assert ask("predict", run_folder, "--data", log, "--out", out, "--fused").code == 0
    assert pl.read_parquet(out).columns[-1] == "fused"


def test_fuse_writes_the_chosen_formula_as_an_onnx_graph(
    ask: Ask, run_folder: Path, tmp_path: Path
) -> None:
    own = (*METRIC, "--formula", "click * like^$w", *QUICK, "--out", tmp_path, "--json")
    answer = ask("fuse", run_folder, *own, "--onnx", tmp_path / "fusion.onnx")
    assert answer.code == 0
    model = onnx.load(tmp_path / "fusion.onnx")
    facts = {fact.key: fact.value for fact in model.metadata_props}
    assert facts["formula"] == answer.json["formula"]
    assert facts["scores"] == "not calibrated"


def test_a_bound_that_is_missed_on_the_test_rows_fails_the_gate(
    ask: Ask, run_folder: Path, tmp_path: Path
) -> None:
    bound = ("--at-least", "click.ndcg@10=0.999")
    answer = ask("fuse", run_folder, *METRIC, *bound, *QUICK, "--out", tmp_path)
    assert answer.code == 3
    assert "gate: " in answer.out
    assert "misses click.ndcg@10=0.999 on the test rows: 0." in answer.out
    assert ", baseline 0." in answer.out
    written = json.loads((tmp_path / "fusion.json").read_text())
    assert written["bounds_hold"] is False
    kept = ("--at-least", "click.ndcg@10=0.001")
    held = ask("fuse", run_folder, *METRIC, *kept, *QUICK, "--out", tmp_path / "held", "--json")
    assert (held.code, held.json["bounds_hold"]) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "problem", "hint"),
    [
        (("--maximise", "long_vew.ndcg@10"), "there is no task 'long_vew'", "'long_view'?"),
        (("--maximise", "like.ndgc@10"), "no metric of lists 'ndgc'", "'ndcg'?"),
        ((*METRIC, "--at-least", "like.ndcg@10=1%"), "must have a sign", "=-1%"),
        ((*METRIC, "--formula", "click *"), "--formula: expected", "click * like"),
        ((*METRIC, "--formula", "clik"), "there is no column 'clik'", "'click'?"),
        ((*METRIC, "--formula", "is_click"), "there is no column 'is_click'", ""),
        ((*METRIC, "--formula", "click^$a", "--sampler", "cmaes"), "two weights or more", "tpe"),
        ((*METRIC, "--range", "a_like=3"), "must have a weight and two numbers", "=0:20"),
        (("--maximise", "value@10"), "there is no task 'value'", "--value click=1"),
        ((*METRIC, "--onnx", "fusion.json"), "ends in .onnx, got fusion.json", "fusion.onnx"),
        (("--maximise", "watch.gauc"), "labels must be 0 or 1 for gauc", "watch.ndcg@10"),
    ],
)
def test_a_mistake_ends_with_two_and_says_what_to_do(
    ask: Ask, run_folder: Path, arguments: tuple[str, ...], problem: str, hint: str
) -> None:
    out = run_folder / "refused"
    answer = ask("fuse", run_folder, *arguments, *QUICK, "--out", out)
    assert answer.code == 2
    assert problem in answer.err
    assert hint in answer.err
    assert "Traceback" not in answer.err
    assert not out.exists()


def test_a_task_that_no_graph_can_read_is_refused_before_the_search(
    ask: Ask, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Path(shutil.copytree(run_folder, tmp_path / "run"))
    text = (run / "config.toml").read_text()
    assert "[tasks.long_view]" in text
    (run / "config.toml").write_text(text.replace("[tasks.long_view]", "[tasks.fused]"))
    monkeypatch.setattr(Search, "run", lambda *_: pytest.fail("the search has begun"))
    graph = ("--onnx", tmp_path / "fusion.onnx", "--formula", "click * like^$w")
    answer = ask("fuse", run, "--maximise", "click.ndcg@10", *graph, *QUICK)
    assert answer.code == 2
    assert "No column of an ONNX graph may be called 'fused'" in answer.err
    assert "Rename the task or the column" in answer.err
    own = ("--baseline", "click * `fused`")
    assert "may be called 'fused'" in ask("fuse", run_folder, *METRIC, *graph, *own, *QUICK).err


def test_a_folder_of_another_search_is_refused(ask: Ask, run_folder: Path, tmp_path: Path) -> None:
    assert ask("fuse", run_folder, *METRIC, *QUICK, "--out", tmp_path).code == 0
    answer = ask("fuse", run_folder, *METRIC, *QUICK, "--out", tmp_path, "--seed", 9)
    assert answer.code == 2
    assert "holds a search with other settings: seed was 0, is 9" in answer.err
    assert "another folder with --out" in answer.err


def test_an_interrupted_search_says_how_to_go_on(
    ask: Ask, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Search, "run", stop)
    answer = ask("fuse", run_folder, *METRIC, *QUICK, "--out", tmp_path)
    assert answer.code == 130
    assert "the same command goes on" in answer.err


def test_fuse_wants_a_run_and_a_metric(ask: Ask, run_folder: Path, tmp_path: Path) -> None:
    assert ask("fuse", run_folder).code == 2
    answer = ask("fuse", tmp_path / "none", *METRIC)
    assert answer.code == 2
    assert "holds no run" in answer.err

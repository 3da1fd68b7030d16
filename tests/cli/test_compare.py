"""compare: tables, compare.json, and the exit codes of the see-saw gate."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Ask = Callable[..., Any]


@pytest.fixture(scope="session")
def worse_run(feed: Path) -> Path:
    """Return the folder of a run that has learnt next to nothing."""
    from paretorank.config import load_config
    from paretorank.workflows.run_folder import RunFolder
    from paretorank.workflows.train import train_run

    folder = feed.parent / "runs" / "worse"
    settings = ["training.epochs=1", "training.learning_rate=1e-9", "training.seed=5"]
    train_run(load_config(feed, settings), RunFolder(folder))
    return folder


def test_a_run_passes_the_gate_against_itself(ask: Ask, run_folder: Path) -> None:
    for options in ((), ("--require-non-inferior",), ("--guard", "click.auc")):
        answer = ask("compare", run_folder, run_folder, "--resamples", 50, *options)
        assert answer.code == 0
        assert "gate: passed" in answer.out
        assert "Δm = +0.00 ± 0.00 %" in answer.out


def test_the_gate_stops_a_worse_run_with_3(
    ask: Ask, feed: Path, run_folder: Path, worse_run: Path, tmp_path: Path
) -> None:
    log = feed.parent / "log.parquet"
    guarded = ("--guard", "click.auc", "--data", log, "--resamples", 50, "--out", tmp_path / "out")
    answer = ask("compare", run_folder, worse_run, *guarded)
    assert answer.code == 3, answer.out + answer.err
    assert "gate: worse fails click.auc: gain -0." in answer.out
    assert "worse against shared" in answer.out
    written = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert written["gate"]["failures"] == ["worse: click.auc"]
    back = ask("compare", worse_run, run_folder, *guarded)
    assert back.code == 0
    assert "gate: passed, no guarded metric is worse with confidence" in back.out


def test_the_gate_knows_tolerance_and_the_burden_of_proof(
    ask: Ask, feed: Path, run_folder: Path, worse_run: Path
) -> None:
    rows = ("--data", feed.parent / "log.parquet", "--resamples", 50)
    runs = (run_folder, worse_run, *rows, "--guard", "click.auc", "--json")
    assert ask("compare", *runs, "--tolerance", 5).code == 0
    assert ask("compare", *runs, "--tolerance", 5, "--require-non-inferior").code == 0
    assert ask("compare", *runs, "--require-non-inferior").code == 3
    answer = ask("compare", *runs)
    assert answer.code == 3
    assert answer.json["gate"]["passed"] is False
    assert {d["task"] for d in answer.json["differences"]} == {
        "click",
        "long_view",
        "like",
        "watch",
    }
    (line,) = [d for d in answer.json["differences"] if d["is_guarded"]]
    assert (line["verdict"], line["fails"]) == ("worse", True)


def test_it_says_whose_scores_are_calibrated(ask: Ask, run_folder: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(run_folder, tmp_path / "run"))
    assert ask("calibrate", run, "--method", "platt").code == 0
    quick = ("--resamples", 20, "--tolerance", 1)
    mixed = ask("compare", run_folder, run, *quick)
    assert "scores of run are calibrated, of shared not" in mixed.err
    assert "scores are calibrated" in ask("compare", run, run, *quick).err
    assert "scores as the models give them" in ask("compare", run, run, "--raw", *quick).err
    drawn = ask("front", run_folder, run, "--resamples", 0)
    assert "scores of run are calibrated, of shared not" in drawn.out
    assert "calibrated" not in ask("front", run_folder, run, "--resamples", 0, "--raw").out


def test_twins_are_trained_and_compared_with(ask: Ask, run_folder: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(run_folder, tmp_path / "run"))
    answer = ask("compare", run, "--twins", "--tolerance", 1, "--resamples", 50)
    assert answer.code == 0, answer.err
    assert "run against twins" in answer.out
    assert "sharing (run)" in answer.out
    assert sorted(path.name for path in (run / "twins").iterdir()) == [
        "click",
        "like",
        "long_view",
        "watch",
    ]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ([], "needs two runs"),
        (["nowhere"], "nowhere holds no run"),
        (["RUN", "--guard", "clik.auc"], "Did you mean 'click.auc'?"),
        (["RUN", "--confidence", "1.5"], "--confidence must be between 0 and 1"),
        (["RUN", "--tolerance", "-1"], "--tolerance"),
    ],
)
def test_mistakes_exit_with_2(ask: Ask, run_folder: Path, options: list[str], problem: str) -> None:
    options = [str(run_folder) if option == "RUN" else option for option in options]
    answer = ask("compare", run_folder, *options)
    assert answer.code == 2
    assert problem in answer.err


def test_runs_with_other_test_rows_are_refused(
    ask: Ask, feed: Path, run_folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    settings = ["--set", "training.epochs=1", "--set", "data.split.test_fraction=0.2"]
    copied = Path(shutil.copy(feed, feed.with_name("other.toml")))
    assert ask("train", copied, "--out", other, *settings).code == 0
    answer = ask("compare", run_folder, other)
    assert answer.code == 2
    assert "The runs must have the same rows" in answer.err
    assert ask("compare", run_folder, other, "--common-rows", "--tolerance", 1).code == 0

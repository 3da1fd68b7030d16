"""Misspelt tasks and metrics are refused before torch is imported."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paretorank.cli.names import check_metrics, check_objectives, check_tasks, task_kinds
from paretorank.foundation.errors import ConfigError

Ask = Callable[..., Any]
KINDS = {"click": "binary", "watch": "duration"}
MISTAKES = {
    "compare": (["--guard", "click.acu"], "--guard must name a metric of a task, got 'click.acu'"),
    "front": (["--objective", "like.aux"], "--objective must name a metric of a task that has a"),
    "fuse": (["--maximise", "lke.ndcg@10"], "--maximise lke.ndcg@10: there is no task 'lke'"),
    "off-policy": (["--position", "p", "--by", "clik"], "--by must name a task, got 'clik'"),
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a folder that holds the configuration of a run and nothing else."""
    lines = [
        f'[tasks.{name}]\nkind = "{kind}"\n' for name, kind in {**KINDS, "like": "binary"}.items()
    ]
    (tmp_path / "config.toml").write_text("".join(lines))
    return tmp_path


@pytest.mark.parametrize("command", MISTAKES)
def test_a_misspelt_name_is_refused_without_torch(command: str, run: Path) -> None:
    options, problem = MISTAKES[command]
    arguments = [command, str(run), *([str(run)] if command == "compare" else []), *options]
    code = (
        "import sys; from paretorank.cli.main import main\n"
        f"sys.argv = ['paretorank', *{arguments!r}]\n"
        "try: main()\n"
        "except SystemExit as stop: assert stop.code == 2, stop.code\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert problem in done.stderr
    assert "Did you mean" in done.stderr


def test_kinds_are_those_of_a_run_of_runs_in_a_folder_or_of_a_file(run: Path) -> None:
    expected = {**KINDS, "like": "binary"}
    assert task_kinds([run]) == task_kinds([run.parent]) == expected
    assert task_kinds([run / "config.toml"]) == expected


@pytest.mark.parametrize("text", ["", "tasks = 3", "[tasks.click]", "tasks = [1]", "= ="])
def test_nothing_is_known_of_a_run_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.toml").write_text(text)
    assert task_kinds([tmp_path]) == {}
    assert task_kinds([tmp_path / "nowhere"]) == {}
    check_metrics("--guard", ["anything"], {})
    check_tasks("--by", ["anything"], {})
    check_objectives("--at-least", ["anything"], [])


def test_metrics_are_those_of_the_kind_and_may_need_a_direction() -> None:
    check_metrics("--guard", ["click.pcoc", "click.auc@impressions", "watch.mae"], KINDS)
    check_metrics("--objective", ["click.log_loss"], KINDS, with_direction=True)
    for names in (["watch.auc"], ["click.pcoc"], ["click.auc@impressions"]):
        with pytest.raises(ConfigError, match="--objective must name"):
            check_metrics("--objective", names, KINDS, with_direction=True)


def test_what_is_no_objective_of_a_front_is_refused(ask: Ask, run: Path) -> None:
    named = ("front", run, "--objective", "click.auc", "--objective", "like.auc")
    for option in ("--at-least", "--reference"):
        answer = ask(*named, option, "like.gauc=0.5")
        assert answer.code == 2
        assert f"{option} must name objectives, got 'like.gauc'" in answer.err

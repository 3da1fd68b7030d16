"""What `paretorank train` and `ingest` say when they cannot have or write their folder."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paretorank.foundation.lock import LOCK_FILE, folder_lock

Ask = Callable[..., Any]


def test_a_second_process_in_a_folder_is_told_who_is_there(
    ask: Ask, feed: Path, tmp_path: Path
) -> None:
    for command, beside in (("train", False), ("ingest", True)):
        with folder_lock(tmp_path / "x", what="The folder", hint="Wait.", beside=beside):
            answer = ask(command, feed, "--out", tmp_path / "x")
            assert answer.code == 2
            assert "is in use by process" in answer.err
            assert "Traceback" not in answer.err


def test_a_run_that_was_killed_before_it_wrote_anything_can_be_resumed(
    ask: Ask, feed: Path, tmp_path: Path
) -> None:
    (tmp_path / LOCK_FILE).touch()
    answer = ask("train", feed, "--resume", tmp_path, "--set", "training.epochs=1", "--json")
    assert answer.code == 0
    assert not (tmp_path / LOCK_FILE).exists()


def test_a_full_disk_ends_the_run_with_a_message_and_the_run_goes_on_later(
    ask: Ask, feed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "paretorank.training.checkpoint.save_file", _fail_after(3)
    )  # best, last, best
    run = tmp_path / "run"
    answer = ask("train", feed, "--out", run)
    assert answer.code == 2
    assert "cannot be written: No space left on device" in answer.err
    assert "Make room" in answer.err
    monkeypatch.setattr("paretorank.training.checkpoint.save_file", _fail_after(1000))
    assert not list(run.rglob("*.partial"))
    resumed = ask("train", feed, "--resume", run, "--json")
    straight = ask("train", feed, "--out", tmp_path / "straight", "--json")
    assert resumed.json["metrics"] == straight.json["metrics"]


def _fail_after(n_good: int) -> Callable[..., None]:
    from safetensors.torch import save_file

    calls: list[object] = []

    def save(*arguments: Any, **named: Any) -> None:
        calls.append(arguments)
        if len(calls) > n_good:
            raise OSError(errno.ENOSPC, "No space left on device")
        save_file(*arguments, **named)

    return save

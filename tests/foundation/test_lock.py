"""One process per folder."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from paretorank.foundation.errors import RunError
from paretorank.foundation.lock import LOCK_FILE, folder_lock

HOLD = """
import sys, time
from pathlib import Path
from paretorank.foundation.lock import folder_lock
with folder_lock(Path(sys.argv[1]), what="The folder", hint="Wait."):
    print("locked", flush=True)
    time.sleep(60)
"""


def take(folder: Path, *, shared: bool = False) -> None:
    with folder_lock(folder, what="The folder", hint="Wait.", shared=shared):
        (folder / "written").touch()


def hold(folder: Path) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"locked\n"
    process.stdout.close()
    return process


def test_a_second_process_is_told_who_is_there_and_a_killed_one_locks_nothing(
    tmp_path: Path,
) -> None:
    process = hold(tmp_path)
    try:
        with pytest.raises(RunError, match=rf"in use by process {process.pid} on .+ since 2") as no:
            take(tmp_path)
        assert no.value.hint == "Wait."
        assert str(tmp_path) in str(no.value)
        with pytest.raises(RunError, match="in use"):
            take(tmp_path, shared=True)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert (tmp_path / LOCK_FILE).exists()
    take(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["written"]


def test_readers_share_a_folder_and_keep_writers_out_until_the_last_has_gone(
    tmp_path: Path,
) -> None:
    with folder_lock(tmp_path, what="The folder", hint="Wait.", shared=True):
        take(tmp_path, shared=True)
        with pytest.raises(RunError, match="in use by process"):
            take(tmp_path)
    take(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["written"]


def test_the_folder_is_made_and_goes_again_if_nothing_was_written(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    with folder_lock(folder, what="The folder", hint="Wait."):
        assert folder.is_dir()
    assert not folder.exists()


def test_a_failure_releases_the_lock(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="oh"),
        folder_lock(tmp_path, what="The folder", hint="Wait."),
    ):
        raise ValueError("oh")
    take(tmp_path)


def test_a_lock_file_without_a_name_in_it_is_another_process(tmp_path: Path) -> None:
    with folder_lock(tmp_path, what="The folder", hint="Wait."):
        (tmp_path / LOCK_FILE).write_text("{")
        with pytest.raises(RunError, match="is in use by another process"):
            take(tmp_path)


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot be written") as error:
        take(tmp_path / "file")
    assert "a file is where a folder should be" in error.value.hint


def test_a_lock_beside_the_folder_lets_it_be_replaced_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with folder_lock(folder, what="The folder", hint="Wait.", beside=True):
        assert not folder.exists()
        folder.mkdir()
        folder.rename(tmp_path / "old")
        folder.mkdir()
        with (
            pytest.raises(RunError, match="data is in use by process"),
            folder_lock(folder, what="The folder", hint="Wait.", beside=True, shared=True),
        ):
            pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "old"]

"""A data set is replaced as a whole or not at all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from paretorank.data.replacement import link_files, replacing, restore
from paretorank.data.shard_format import MANIFEST
from paretorank.foundation.errors import ShardError


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / MANIFEST).write_text("old")
    return folder


@pytest.fixture(scope="module")
def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_new_folder_takes_the_place_of_the_old(target: Path) -> None:
    with replacing(target) as folder:
        (folder / MANIFEST).write_text("new")
        assert (target / MANIFEST).read_text() == "old"
    assert (target / MANIFEST).read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


def test_a_folder_that_is_not_there_is_made(tmp_path: Path) -> None:
    with replacing(tmp_path / "a" / "b") as folder:
        (folder / MANIFEST).write_text("new")
    assert (tmp_path / "a" / "b" / MANIFEST).read_text() == "new"


def test_files_of_others_stay(target: Path) -> None:
    (target / "notes.txt").write_text("mine")
    (target / "shards").mkdir()
    with replacing(target):
        pass
    assert [path.name for path in target.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_after_a_failure_the_old_folder_is_there(target: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), replacing(target):  # noqa: PT012 - the block is what fails
        (next(target.parent.glob("*.ingesting")) / MANIFEST).write_text("new")
        raise error
    assert (target / MANIFEST).read_text() == "old"
    assert list(target.parent.iterdir()) == [target]


def test_a_full_disk_is_told_and_leaves_the_old_folder(target: Path) -> None:
    with pytest.raises(ShardError, match="cannot be written: No space left") as caught:  # noqa: SIM117
        with replacing(target):
            raise OSError(28, "No space left on device")
    assert "free space" in caught.value.hint
    assert (target / MANIFEST).read_text() == "old"


def test_leftovers_of_dead_processes_go_and_those_of_living_ones_stay(
    target: Path, dead_pid: int
) -> None:
    dead = target.with_name(f".set.{dead_pid}.ingesting")
    alive = target.with_name(f".set.{os.getppid()}.ingesting")
    other = target.with_name(f".other.{dead_pid}.ingesting")
    for folder in (dead, alive, other):
        folder.mkdir()
    with replacing(target):
        pass
    assert not dead.exists()
    assert alive.exists()
    assert other.exists()


def test_a_data_set_that_a_dead_process_moved_away_comes_back(target: Path, dead_pid: int) -> None:
    target.rename(target.with_name(f".set.{dead_pid}.replaced"))
    with pytest.raises(ValueError, match="stop"), replacing(target):
        raise ValueError("stop")
    assert (target / MANIFEST).read_text() == "old"


def test_linked_files_are_the_same_and_outlive_the_first_name(target: Path) -> None:
    (target / "a").write_text("one")
    link_files(["a"], target, target / "new")
    assert (target / "new" / "a").samefile(target / "a")
    (target / "a").unlink()
    assert (target / "new" / "a").read_text() == "one"


def test_a_file_that_cannot_be_linked_is_copied(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    (target / "a").write_text("one")
    link_files(["a"], target, target / "new")
    assert (target / "new" / "a").read_text() == "one"
    assert not (target / "new" / "a").samefile(target / "a")


def test_a_missing_file_is_named_before_it_is_linked(target: Path) -> None:
    with pytest.raises(ShardError, match=r"b is missing"):
        link_files(["b"], target, target / "new")


def test_a_data_set_comes_back_without_anything_being_written(target: Path, dead_pid: int) -> None:
    target.rename(target.with_name(f".set.{dead_pid}.replaced"))
    restore(target)
    assert (target / MANIFEST).read_text() == "old"
    assert list(target.parent.iterdir()) == [target]

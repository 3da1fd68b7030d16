"""Files that are either whole or absent."""

import errno
import json
from pathlib import Path

import pytest

from paretorank.foundation.errors import RunError
from paretorank.foundation.files import (
    atomic_path,
    file_digest,
    finite,
    read_json,
    remove_partial_files,
    text_digest,
    write_json,
    write_text,
)


def _write_half(path: Path, error: Exception | None = None) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text("half of the n")
        raise error or RuntimeError("power")


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "result.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError, match="power"):
        _write_half(path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["result.txt"]


def test_a_failed_first_write_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="power"):
        _write_half(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_the_new_file_appears_only_at_the_end_and_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    with atomic_path(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"


def test_nan_and_infinity_become_null_at_every_depth(tmp_path: Path) -> None:
    value = {"a": float("nan"), "b": [1.5, float("inf"), (float("-inf"), 2)], "c": "x", "d": True}
    assert finite(value) == {"a": None, "b": [1.5, None, [None, 2]], "c": "x", "d": True}
    write_json(tmp_path / "x.json", value)
    text = (tmp_path / "x.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert json.loads(text) == read_json(tmp_path / "x.json") == finite(value)


def test_digests_are_of_the_bytes_and_the_same_for_ever(tmp_path: Path) -> None:
    assert text_digest("abc") == "cf4ab791c62b8d2b2109c90275287816"
    (tmp_path / "x").write_bytes(b"abc")
    assert file_digest(tmp_path / "x") == text_digest("abc")


def test_a_file_longer_than_one_chunk_is_read_whole(tmp_path: Path) -> None:
    text = "a" * (2 << 20)
    (tmp_path / "x").write_text(text)
    assert file_digest(tmp_path / "x") == text_digest(text)
    (tmp_path / "x").write_text(text + "b")
    assert file_digest(tmp_path / "x") != text_digest(text)


def test_missing_and_broken_json_are_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"nothing\.json does not exist"):
        read_json(tmp_path / "nothing.json")
    (tmp_path / "broken.json").write_text('{"a": ')
    with pytest.raises(RunError, match=r"broken\.json is not readable JSON"):
        read_json(tmp_path / "broken.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RunError, match=r"binary\.json is not readable JSON"):
        read_json(tmp_path / "binary.json")


@pytest.mark.parametrize(
    ("error", "problem", "remedy"),
    [
        (OSError(errno.ENOSPC, "full"), "No space left on device", "Make room"),
        (OSError("100 requested and 7 written"), "No space left on device", "Make room"),
        (ValueError("parquet: IO error: full (os error 28)"), "No space left", "Make room"),
        (OSError(errno.EROFS, "ro"), "Read-only file system", "may write to"),
        (PermissionError(errno.EACCES, "no"), "Permission denied", "may write to"),
    ],
)
def test_a_write_that_the_system_refuses_is_named_with_its_remedy(
    tmp_path: Path, error: Exception, problem: str, remedy: str
) -> None:
    path = tmp_path / "result.txt"
    write_text(path, "old")
    with pytest.raises(RunError, match=rf"result\.txt cannot be written: {problem}") as found:
        _write_half(path, error)
    assert remedy in found.value.hint
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["result.txt"]


def test_errors_that_are_not_about_writing_pass_through(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "x") as temporary:
        temporary.read_text()


def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "x")
    with pytest.raises(RunError, match="cannot be written: Not a directory"):
        write_text(tmp_path / "file" / "below", "x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(RunError, match="cannot be written: Is a directory"):
        write_text(tmp_path / "folder", "x")


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name in ("a/.x.json.123.partial", ".y.7.partial", "mine.partial", ".hidden"):
        (tmp_path / name).touch()
    remove_partial_files(tmp_path)
    left = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert left == {"mine.partial", ".hidden"}

"""Files that are either whole or absent."""

import errno
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from paretorank.foundation.errors import RunError

_CHUNK_BYTES = 1 << 20
_PARTIAL = ".partial"
_NO_SPACE = "Make room, or choose a folder on another disk; what was there before is whole."
_NO_ACCESS = "Choose a folder that you may write to."
_NO_FOLDER = "Choose another name: a file is where a folder should be, or the reverse."
_REMEDIES = {
    errno.ENOSPC: _NO_SPACE,
    errno.EDQUOT: _NO_SPACE,
    errno.EFBIG: _NO_SPACE,
    errno.EROFS: _NO_ACCESS,
    errno.EACCES: _NO_ACCESS,
    errno.EPERM: _NO_ACCESS,
    errno.ENOTDIR: _NO_FOLDER,
    errno.EISDIR: _NO_FOLDER,
    errno.EEXIST: _NO_FOLDER,
    errno.ENAMETOOLONG: "Choose a shorter name.",
    errno.EIO: "The disk reports a fault; choose another one.",
    errno.EMFILE: "Too many files are open; raise the limit with `ulimit -n`.",
}
_NOT_SYNCED_HERE = {errno.EINVAL, errno.ENOTSUP, errno.EBADF}


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Hand out a temporary path beside `path`; rename it onto `path` only if the block succeeds.

    Content, name and new folders are on the disk, not only in its cache, when this returns.

    Raises:
        RunError: the disk is full, the folder is not writable, or the like.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{_PARTIAL}")
    with clear_write_errors(path):
        try:
            make_folder(path.parent)
            yield temporary
            _sync(temporary)
            temporary.replace(path)
            _sync(path.parent)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


@contextmanager
def clear_write_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system says about a failed write into place and remedy.

    Errors that are not about writing pass through. Polars and safetensors hide the number of the
    error in a text, NumPy knows only that too little was written.

    Raises:
        RunError: the disk is full, the folder is not writable, or the like.
    """
    try:
        yield
    except Exception as error:
        number = _error_number(error)
        if number not in _REMEDIES:
            raise
        raise RunError(
            f"{path} cannot be written: {os.strerror(number)}.", hint=_REMEDIES[number]
        ) from error


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, and make sure that they outlive a power cut."""
    if folder.exists():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync(folder.parent)


def remove_partial_files(folder: Path) -> None:
    """Remove what writers left in a folder and below when they were killed; none may be alive."""
    for path in folder.rglob(f".*{_PARTIAL}"):
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a whole text file or nothing."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a whole JSON file or nothing; NaN and infinity become null."""
    write_text(path, json.dumps(finite(value), indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        RunError: the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(
            f"{path} does not exist.", hint="Check the path, or run the step before."
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RunError(f"{path} is not readable JSON: {error}.", hint="Make it anew.") from None


def file_digest(path: Path) -> str:
    """Return the BLAKE2b digest of a file's bytes."""
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def text_digest(text: str) -> str:
    """Return the BLAKE2b digest of a text."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def finite(value: Any) -> Any:
    """Return the value with every NaN and infinity replaced by None, through lists and dicts."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):  # noqa: PLR0124
        return None
    return value


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NOT_SYNCED_HERE:  # some file systems cannot sync a folder
            raise
    finally:
        os.close(handle)


def _error_number(error: Exception) -> int | None:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    text = str(error)
    if isinstance(error, OSError) and re.fullmatch(r"\d+ requested and \d+ written", text):
        return errno.ENOSPC
    found = re.search(r"\(os error (\d+)\)", text)
    return int(found[1]) if found else None

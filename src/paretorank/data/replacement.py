"""Replace a prepared data set as a whole: until the new one is complete, the old one stays.

FOLDER                       the data set
.FOLDER.PID.ingesting        what process PID is preparing
.FOLDER.PID.replaced         the old data set while the new one takes its place
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from paretorank.data.shard_format import ENCODER_FOLDER, MANIFEST, SHARD_FOLDER
from paretorank.foundation.errors import ShardError

_NEW = "ingesting"
_OLD = "replaced"
_OURS = (MANIFEST, ENCODER_FOLDER, SHARD_FOLDER)


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Hand out an empty folder beside `target`; it takes its place only if the block succeeds.

    Files in `target` that are no part of a data set are kept. What processes that were killed
    have left is removed, and a data set that they had moved away comes back.

    Raises:
        ShardError: the folder cannot be written, or the disk is full.
    """
    target = Path(os.path.abspath(target))  # noqa: PTH100 - links stay as they are
    new, old = (target.with_name(f".{target.name}.{os.getpid()}.{end}") for end in (_NEW, _OLD))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _clear(target)
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        yield new
        _swap(new, target, old)
    except OSError as error:
        raise ShardError(
            f"{error.filename or target} cannot be written: {error.strerror or error}.",
            hint="Check free space and permissions of the folder; the data set of before stays.",
        ) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _swap(new: Path, target: Path, old: Path) -> None:
    _sync(new)
    if not target.exists():
        new.rename(target)
    else:
        for entry in target.iterdir():
            if entry.name not in _OURS:
                entry.rename(new / entry.name)
        target.rename(old)
        new.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    _sync(target.parent)


def _clear(target: Path) -> None:
    """Remove what dead processes left, and put a data set back that one of them moved away."""
    for end in (_OLD, _NEW):
        for left in target.parent.glob(f".{_literal(target.name)}.*.{end}"):
            if _is_alive(left.name.split(".")[-2]):
                continue
            if end == _OLD and not target.exists():
                left.rename(target)
            else:
                shutil.rmtree(left, ignore_errors=True)


def _literal(name: str) -> str:
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in name)


def _is_alive(pid: str) -> bool:
    if not pid.isdigit() or int(pid) == os.getpid():
        return not pid.isdigit()  # no name of ours: leave it; our own number: from a dead namesake
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _sync(folder: Path) -> None:
    """Make renames in a folder last through a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

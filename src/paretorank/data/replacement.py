"""Replace a prepared data set as a whole: until the new one is complete, the old one stays.

FOLDER                       the data set
.FOLDER.PID.ingesting        what process PID is preparing
.FOLDER.PID.replaced         the old data set while the new one takes its place
"""

import os
import shutil
from collections.abc import Iterable, Iterator
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
    restore(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        yield new
        _swap(new, target, old)
    except OSError as error:
        raise _not_written(error, target) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def link_files(names: Iterable[str], source: Path, target: Path) -> None:
    """Give files a second name in another folder; where links cannot be made, copy them.

    Raises:
        ShardError: a file is missing.
    """
    target.mkdir(parents=True)
    for name in names:
        try:
            _link(source / name, target / name)
        except FileNotFoundError:
            raise ShardError(
                f"{source / name} is missing.",
                hint="Prepare the data again with `paretorank ingest --force`.",
            ) from None


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without links, or too many links to one file
        shutil.copyfile(source, target)
        _sync(target)


def _swap(new: Path, target: Path, old: Path) -> None:
    for folder in (new, *(path for path in new.rglob("*") if path.is_dir())):
        _sync(folder)
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


def restore(target: Path) -> None:
    """Remove what dead processes left, and put a data set back that one of them moved away.

    Raises:
        ShardError: the data set cannot be put back.
    """
    target = Path(os.path.abspath(target))  # noqa: PTH100 - links stay as they are
    for end in (_OLD, _NEW):
        for left in target.parent.glob(f".{_literal(target.name)}.*.{end}"):
            if _is_alive(left.name.split(".")[-2]):
                continue
            if end == _NEW or target.exists():
                shutil.rmtree(left, ignore_errors=True)
                continue
            try:
                left.rename(target)
            except OSError as error:
                raise _not_written(error, target) from error


def _not_written(error: OSError, target: Path) -> ShardError:
    return ShardError(
        f"{error.filename or target} cannot be written: {error.strerror or error}.",
        hint="Check free space and permissions of the folder; the data set of before stays.",
    )


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
    """Make a file, or the names in a folder, last through a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

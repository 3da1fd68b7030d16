"""One writer per folder, or many readers, for as long as the process lives."""

import datetime as dt
import errno
import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from paretorank.foundation.errors import RunError
from paretorank.foundation.files import clear_write_errors

if sys.platform != "win32":
    import fcntl

LOCK_FILE = ".lock"
_TRIES = 100
_NO_LOCKS_HERE = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS}


@contextmanager
def folder_lock(
    folder: Path, *, what: str, hint: str, shared: bool = False, beside: bool = False
) -> Iterator[None]:
    """Keep other processes out of `folder` while the block runs; make the folder if need be.

    The kernel releases the lock when the process dies, however it dies; a `.lock` file that is left
    over locks nothing. At the end the file is removed, and the folder too if it is empty. A file
    system that knows no locks is used without.

    Args:
        folder: what nobody else may write to.
        what: the folder's role, for the message.
        hint: what to do if another process is there.
        shared: keep out only those who want the folder for themselves; where nothing can be
            written, the folder is used as it is.
        beside: the lock file is `.FOLDER.lock` beside the folder, not `.lock` in it; the folder may
            then be replaced as a whole, and is not made.

    Raises:
        RunError: another process (or thread) holds the lock; the message says which.
    """
    path = lock_beside(folder) if beside else folder / LOCK_FILE
    if shared and not os.access(path.parent, os.W_OK):
        yield
        return
    handle = _acquire(path, f"{what} {folder}", hint, shared=shared)
    try:
        yield
    finally:
        _release(path, handle)
        if not beside:
            with suppress(OSError):
                folder.rmdir()  # succeeds only if nothing was written


def lock_beside(folder: Path) -> Path:
    """Return the lock file of a folder that may be replaced as a whole."""
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 - links stay as they are
    return folder.with_name(f".{folder.name}.lock")


def _acquire(path: Path, what: str, hint: str, *, shared: bool) -> int:
    for _ in range(_TRIES):
        with clear_write_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            except FileNotFoundError:
                continue  # the folder was removed a moment ago
        try:
            _lock(handle, shared=shared)
            if not _is_still(path, handle):
                os.close(handle)
                continue
            with clear_write_errors(path):
                os.ftruncate(handle, 0)
                os.pwrite(handle, json.dumps(_ourselves()).encode(), 0)
        except BlockingIOError:
            holder = _holder(handle)
            os.close(handle)
            raise RunError(f"{what} is in use by {holder}.", hint=hint) from None
        except BaseException:
            os.close(handle)
            raise
        return handle
    raise RunError(f"{what} vanishes as fast as it is made.", hint=hint)


def _release(path: Path, handle: int) -> None:
    with suppress(OSError):
        _lock(handle, shared=False)  # fails while there are other readers
        if _is_still(path, handle):
            path.unlink()  # while it is locked: who waits for it sees that it is gone
    os.close(handle)


def _lock(handle: int, *, shared: bool) -> None:
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno not in _NO_LOCKS_HERE:
            raise


def _is_still(path: Path, handle: int) -> bool:
    """Return whether the path leads to the open file; the holder before us may have removed it."""
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _ourselves() -> dict[str, str | int]:
    since = dt.datetime.now(tz=dt.UTC).isoformat(sep=" ", timespec="seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": since}


def _holder(handle: int) -> str:
    try:
        facts = json.loads(os.pread(handle, 4096, 0))
        return f"process {facts['pid']} on {facts['host']} since {facts['since']}"
    except (ValueError, KeyError, TypeError):
        return "another process"  # it has not written its name yet

"""One JSON line per event, and the same numbers for TensorBoard."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paretorank.foundation.files import atomic_path, clear_write_errors, finite


class Logbook:
    """Appends events to `log.jsonl` and, if asked, scalars to TensorBoard event files."""

    def __init__(self, folder: Path, *, tensorboard: bool) -> None:
        self._path = folder / "log.jsonl"
        self._board = folder / "tensorboard" if tensorboard else None
        with clear_write_errors(self._path):
            folder.mkdir(parents=True, exist_ok=True)
            self._open()

    def __enter__(self) -> "Logbook":  # noqa: PYI034 - Self cannot be checked per method
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def record(self, event: str, step: int, facts: Mapping[str, Any]) -> None:
        """Write one event; numbers of nested mappings become scalars named by their path.

        Raises:
            RunError: the disk is full, or the like.
        """
        line = {"event": event, "step": step, **facts}
        with clear_write_errors(self._path):
            rest = (json.dumps(finite(line), ensure_ascii=False) + "\n").encode()
            while rest:  # a disk that is nearly full takes a part first
                rest = rest[self._file.write(rest) :]
            self._add_scalars(event, step, facts)

    def rewind(self, step: int) -> None:
        """Forget what was recorded after a step, and what the end of the run said.

        Whoever goes on from a checkpoint does those steps again. TensorBoard cannot forget single
        events, so its files are written anew.
        """
        lines = self._path.read_bytes().splitlines(keepends=True)
        kept = [(line, fact) for line in lines if (fact := _parsed(line)) and _is_until(fact, step)]
        if len(kept) == len(lines):
            return
        self.close()
        with atomic_path(self._path) as temporary:
            temporary.write_bytes(b"".join(line for line, _ in kept))
        with clear_write_errors(self._path):
            if self._board is not None:
                shutil.rmtree(self._board, ignore_errors=True)
            self._open()
            for _, facts in kept:
                self._add_scalars(facts.pop("event"), facts.pop("step"), facts)

    def sync(self) -> None:
        """Wait until every event is on the disk."""
        with clear_write_errors(self._path):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Flush and close the files."""
        self._file.close()
        if self._writer is not None:
            self._writer.close()

    def _open(self) -> None:
        # Without a buffer: a line that found no room must not be tried again when closing.
        self._file = self._path.open("ab", buffering=0)
        self._writer: Any = None
        if self._board is not None:
            from tensorboard.summary import Writer  # slow to import, and not every run wants it

            self._writer = Writer(str(self._board))

    def _add_scalars(self, event: str, step: int, facts: Mapping[str, Any]) -> None:
        if self._writer is not None:
            for name, value in _scalars(event, facts):
                self._writer.add_scalar(name, value, step)


def _parsed(line: bytes) -> dict[str, Any] | None:
    """Return an event, or None for a line that was cut off or is damaged."""
    try:
        event = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    is_event = isinstance(event, dict) and isinstance(event.get("step"), int) and "event" in event
    return event if is_event else None


def _is_until(facts: Mapping[str, Any], step: int) -> bool:
    return facts["step"] <= step and facts["event"] != "test"


def _scalars(prefix: str, facts: Mapping[str, Any]) -> list[tuple[str, float]]:
    found = []
    for key, value in facts.items():
        if isinstance(value, Mapping):
            found += _scalars(f"{prefix}/{key}", value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found.append((f"{prefix}/{key}", float(value)))
    return found

"""One JSON line per event, and the same numbers for TensorBoard."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paretorank.foundation.files import finite


class Logbook:
    """Appends events to `log.jsonl` and, if asked, scalars to TensorBoard event files."""

    def __init__(self, folder: Path, *, tensorboard: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / "log.jsonl").open("a", encoding="utf-8")
        self._writer: Any = None
        if tensorboard:
            from tensorboard.summary import Writer  # slow to import, and not every run wants it

            self._writer = Writer(str(folder / "tensorboard"))

    def __enter__(self) -> "Logbook":  # noqa: PYI034 - Self cannot be checked per method
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def record(self, event: str, step: int, facts: Mapping[str, Any]) -> None:
        """Write one event; numbers of nested mappings become scalars named by their path."""
        line = {"event": event, "step": step, **facts}
        self._file.write(json.dumps(finite(line), ensure_ascii=False) + "\n")
        self._file.flush()
        if self._writer is not None:
            for name, value in _scalars(event, facts):
                self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Flush and close the files."""
        self._file.close()
        if self._writer is not None:
            self._writer.close()


def _scalars(prefix: str, facts: Mapping[str, Any]) -> list[tuple[str, float]]:
    found = []
    for key, value in facts.items():
        if isinstance(value, Mapping):
            found += _scalars(f"{prefix}/{key}", value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found.append((f"{prefix}/{key}", float(value)))
    return found

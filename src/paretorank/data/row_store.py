"""Rows of one type, appended and read back in blocks; on disk they cost no memory."""

import io
import math
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

BLOCK_ROWS = 1 << 18


class RowStore:
    """Rows in a file without a name, which is gone with the process; without a folder in memory."""

    def __init__(
        self, dtype: np.dtype[Any], folder: Path | None, *, shape: tuple[int, ...] = ()
    ) -> None:
        """Begin with no row; `shape` is that of one row."""
        self._dtype = dtype
        self._shape = shape
        self._n_rows = 0
        self._file: io.BytesIO | io.BufferedRandom = io.BytesIO()
        if folder is not None:
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed below
        weakref.finalize(self, self._file.close)  # also where an error ends the work

    def __len__(self) -> int:
        return self._n_rows

    def append(self, rows: np.ndarray) -> None:
        """Add rows at the end."""
        content = np.ascontiguousarray(rows, self._dtype)
        self._file.seek(0, io.SEEK_END)
        self._file.write(content.view(np.uint8).reshape(-1).data)
        self._n_rows += len(rows)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return a copy of some rows."""
        n_rows = max(0, min(stop, self._n_rows) - start)
        content = np.empty((n_rows, *self._shape), self._dtype)
        self._file.seek(start * self._dtype.itemsize * math.prod(self._shape))
        self._file.readinto(content.view(np.uint8).reshape(-1).data)
        return content

    def blocks(self) -> Iterator[np.ndarray]:
        """Return all rows in order, in blocks whose borders do not depend on the appends."""
        for start in range(0, self._n_rows, BLOCK_ROWS):
            yield self.read(start, start + BLOCK_ROWS)

    def whole(self) -> np.ndarray:
        """Return all rows."""
        return self.read(0, self._n_rows)

    def close(self) -> None:
        """Forget the rows."""
        self._file.close()
        self._n_rows = 0

"""Append encoded rows to the shards of a split."""

from pathlib import Path

import numpy as np

from paretorank.data.encoded import EncodedRows, concatenate
from paretorank.data.shard_format import ARRAYS, SHARD_FOLDER, ShardEntry
from paretorank.foundation.files import atomic_path, file_digest
from paretorank.schema import SplitName


class ShardWriter:
    """Collects rows of one split and writes a shard whenever enough have come."""

    def __init__(self, folder: Path, split: SplitName, shard_rows: int) -> None:
        self._folder = folder / SHARD_FOLDER
        self._split: SplitName = split
        self._shard_rows = shard_rows
        self._parts: list[EncodedRows] = []
        self._n_pending = 0
        self.entries: list[ShardEntry] = []

    def append(self, rows: EncodedRows) -> None:
        """Take in rows."""
        if not len(rows):
            return
        self._parts.append(rows)
        self._n_pending += len(rows)
        while self._n_pending >= self._shard_rows:
            pending = concatenate(self._parts)
            self._write(pending.slice(0, self._shard_rows))
            rest = pending.slice(self._shard_rows, len(pending))
            self._parts = [rest] if len(rest) else []
            self._n_pending = len(rest)

    def finish(self) -> list[ShardEntry]:
        """Write what is left and return all shards."""
        if self._n_pending:
            self._write(concatenate(self._parts))
        self._parts, self._n_pending = [], 0
        return self.entries

    def _write(self, rows: EncodedRows) -> None:
        name = f"{self._split}-{len(self.entries):05d}"
        folder = self._folder / name
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {f"{array}.npy": getattr(rows, array) for array in ARRAYS}
        for at, ragged in enumerate(rows.ragged):
            arrays[f"ragged{at}.values.npy"] = ragged.values
            arrays[f"ragged{at}.offsets.npy"] = ragged.offsets
        digests = {file: _write_array(folder / file, array) for file, array in arrays.items()}
        self.entries.append(
            ShardEntry(name=name, split=self._split, n_rows=len(rows), digests=digests)
        )


def _write_array(path: Path, array: np.ndarray) -> str:
    with atomic_path(path) as temporary:
        with temporary.open("wb") as handle:
            np.save(handle, np.ascontiguousarray(array), allow_pickle=False)
        return file_digest(temporary)

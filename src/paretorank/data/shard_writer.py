"""Append encoded rows to the shards of a split."""

import hashlib
import io
import os
from concurrent.futures import Executor, Future
from pathlib import Path

import numpy as np

from paretorank.data.encoded import EncodedRows
from paretorank.data.shard_format import ARRAYS, SHARD_FOLDER, ShardEntry
from paretorank.schema import SplitName


class ShardWriter:
    """Collects rows of one split and writes a shard whenever enough have come."""

    def __init__(
        self,
        folder: Path,
        split: SplitName,
        shard_rows: int,
        pool: Executor | None = None,
        *,
        first: int = 0,
    ) -> None:
        """Write below a folder; with a pool, one shard is written while the next is collected.

        `first` is the number in the name of the first shard.
        """
        self._folder = folder / SHARD_FOLDER
        self._split: SplitName = split
        self._shard_rows = shard_rows
        self._pool = pool
        self._parts: list[EncodedRows] = []
        self._n_pending = 0
        self._number = first
        self._under_way: Future[ShardEntry] | None = None
        self._entries: list[ShardEntry] = []

    def append(self, rows: EncodedRows) -> None:
        """Take in rows."""
        while len(rows):
            missing = self._shard_rows - self._n_pending
            self._parts.append(rows.slice(0, missing) if missing < len(rows) else rows)
            self._n_pending += len(self._parts[-1])
            rows = rows.slice(len(self._parts[-1]), len(rows))
            if self._n_pending == self._shard_rows:
                self._write()

    def finish(self) -> list[ShardEntry]:
        """Write what is left and return all shards."""
        if self._n_pending:
            self._write()
        self._wait()
        return self._entries

    def _write(self) -> None:
        self._wait()
        name = f"{self._split}-{self._number:05d}"
        given = (self._folder / name, self._split, self._parts)
        if self._pool is None:
            self._entries.append(_write_shard(*given))
        else:
            self._under_way = self._pool.submit(_write_shard, *given)
        self._parts, self._n_pending = [], 0
        self._number += 1

    def _wait(self) -> None:
        if self._under_way is not None:
            self._entries.append(self._under_way.result())
            self._under_way = None


def _write_shard(folder: Path, split: SplitName, parts: list[EncodedRows]) -> ShardEntry:
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {f"{name}.npy": [getattr(part, name) for part in parts] for name in ARRAYS}
    for at in range(len(parts[0].ragged)):
        ragged = [part.ragged[at] for part in parts]
        lengths = np.concatenate([np.diff(part.offsets) for part in ragged])
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        arrays[f"ragged{at}.values.npy"] = [part.values for part in ragged]
        arrays[f"ragged{at}.offsets.npy"] = [offsets]
    digests = {file: _write_array(folder / file, array) for file, array in arrays.items()}
    n_rows = sum(len(part) for part in parts)
    return ShardEntry(name=folder.name, split=split, n_rows=n_rows, digests=digests)


def _write_array(path: Path, parts: list[np.ndarray]) -> str:
    """Write arrays one below the other as one `.npy` file, and return the digest of its bytes."""
    shape = (sum(len(part) for part in parts), *parts[0].shape[1:])
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header,
        {
            "descr": np.lib.format.dtype_to_descr(parts[0].dtype),
            "fortran_order": False,
            "shape": shape,
        },
    )
    digest = hashlib.blake2b(header.getvalue(), digest_size=16)
    with path.open("wb") as handle:
        handle.write(header.getvalue())
        for part in parts:
            content = np.ascontiguousarray(part).reshape(-1).view(np.uint8).data
            digest.update(content)
            handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    return digest.hexdigest()

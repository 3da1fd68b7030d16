"""Memory-map a prepared data set and read slices of it."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from paretorank.data.encoded import EncodedRows, Ragged, concatenate
from paretorank.data.shard_format import (
    ARRAYS,
    ENCODER_FOLDER,
    SHARD_FOLDER,
    Manifest,
    ShardEntry,
)
from paretorank.foundation.errors import ShardError
from paretorank.foundation.files import file_digest
from paretorank.schema import SplitName

_MOST_OPEN = 8
"""Mapped shards: their pages count as memory of the process for as long as they are mapped."""


class ShardSet:
    """The rows of one split as if they were one array."""

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        split: SplitName,
        *,
        tasks: Sequence[str] | None = None,
    ) -> None:
        """Open a split; `tasks` takes only some columns of the labels."""
        names = manifest.layout.task_names
        self._tasks = [names.index(task) for task in (names if tasks is None else tasks)]
        kept = tuple(manifest.layout.labels[at] for at in self._tasks)
        self.layout = manifest.layout.model_copy(update={"labels": kept})
        self.entries = [entry for entry in manifest.shards if entry.split == split]
        self._folder = folder / SHARD_FOLDER
        self._encoder = {folder / ENCODER_FOLDER / n: d for n, d in manifest.encoder.items()}
        self._ends = np.cumsum([entry.n_rows for entry in self.entries], dtype=np.int64)
        self._open = lru_cache(_MOST_OPEN)(self._map)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def read(self, start: int, stop: int) -> EncodedRows:
        """Read rows start to stop; slices of one shard are views of the mapped files."""
        parts = []
        for index, end in enumerate(self._ends.tolist()):
            begin = end - self.entries[index].n_rows
            if begin < stop and end > start:
                shard = self._open(index)
                parts.append(shard.slice(max(start, begin) - begin, min(stop, end) - begin))
        return concatenate(parts) if parts else self._nothing()

    def check(self) -> None:
        """Open every file of the split, and compare the encoder with its checksums.

        Raises:
            ShardError: a file is missing, too short, or another one.
        """
        self._compare(self._encoder)
        for index in range(len(self.entries)):
            self._open(index)

    def verify(self) -> None:
        """Compare every file of the split and of the encoder with its checksum.

        Raises:
            ShardError: a file is missing or is not what was written.
        """
        shards = {
            self._folder / entry.name / file: digest
            for entry in self.entries
            for file, digest in entry.digests.items()
        }
        self._compare(self._encoder | shards)

    def _compare(self, digests: Mapping[Path, str]) -> None:
        for path, digest in digests.items():
            if not path.exists() or file_digest(path) != digest:
                raise _damaged(path, "does not match its checksum")

    def _map(self, index: int) -> EncodedRows:
        entry = self.entries[index]
        folder = self._folder / entry.name
        arrays = {name: _load(folder / f"{name}.npy", entry, entry.n_rows) for name in ARRAYS}
        ragged = tuple(
            Ragged(
                _load(folder / f"ragged{at}.values.npy", entry, None),
                _load(folder / f"ragged{at}.offsets.npy", entry, entry.n_rows + 1),
            )
            for at in range(len(self.layout.ragged))
        )
        return EncodedRows(
            arrays["codes"],
            arrays["numeric"],
            ragged,
            self._labels(arrays["labels"]),
            arrays["weight"],
            arrays["user"],
            arrays["request"],
            arrays["row"],
        )

    def _labels(self, labels: np.ndarray) -> np.ndarray:
        everything = self._tasks == list(range(labels.shape[1]))
        return labels if everything else labels[:, self._tasks]

    def _nothing(self) -> EncodedRows:
        layout = self.layout
        return EncodedRows(
            np.zeros((0, len(layout.categorical)), np.int32),
            np.zeros((0, len(layout.numeric)), np.float32),
            tuple(Ragged(np.zeros(0, np.int32), np.zeros(1, np.int64)) for _ in layout.ragged),
            np.zeros((0, len(layout.labels)), np.float32),
            np.zeros(0, np.float32),
            np.zeros(0, np.int64),
            np.zeros(0, np.int64),
            np.zeros(0, np.int64),
        )


def _load(path: Path, entry: ShardEntry, n_rows: int | None) -> np.ndarray:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise _damaged(path, "is missing") from None
    except Exception as error:  # noqa: BLE001 - NumPy raises whatever its header parser does
        raise _damaged(path, f"is not readable ({error})") from None
    if n_rows is not None and len(array) != n_rows:
        raise _damaged(path, f"has {len(array)} rows, shard {entry.name} has {entry.n_rows}")
    return array.view(np.ndarray)


def _damaged(path: Path, problem: str) -> ShardError:
    return ShardError(
        f"{path} {problem}.", hint="Prepare the data again with `paretorank ingest --force`."
    )

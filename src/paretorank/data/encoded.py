"""Rows as numbers: what an encoder returns, what shards hold, what batches are cut from.

Shapes: N rows, F categorical columns, M numeric columns, T tasks, L values of a ragged column.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int32, Int64


@dataclass(frozen=True)
class Ragged:
    """Codes of all rows one after another; row i owns values[offsets[i]:offsets[i + 1]]."""

    values: Int32[np.ndarray, " L"]
    offsets: Int64[np.ndarray, " starts"]

    def take(self, rows: Int64[np.ndarray, " K"]) -> "Ragged":
        """Return the given rows, in the given order."""
        lengths = np.diff(self.offsets)[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        return Ragged(self.values[np.repeat(self.offsets[rows], lengths) + within], offsets)

    def slice(self, start: int, stop: int) -> "Ragged":
        """Return rows start to stop without copying their values."""
        offsets = self.offsets[start : stop + 1]
        return Ragged(self.values[offsets[0] : offsets[-1]], offsets - offsets[0])


@dataclass(frozen=True)
class EncodedRows:
    """Encoded rows of one split, in the order of the log."""

    codes: Int32[np.ndarray, "N F"]
    numeric: Float32[np.ndarray, "N M"]
    ragged: tuple[Ragged, ...]
    labels: Float32[np.ndarray, "N T"]
    weight: Float32[np.ndarray, " N"]
    user: Int64[np.ndarray, " N"]
    request: Int64[np.ndarray, " N"]
    row: Int64[np.ndarray, " N"]

    def __len__(self) -> int:
        return len(self.row)

    def take(self, rows: Int64[np.ndarray, " K"]) -> "EncodedRows":
        """Return the given rows, in the given order."""
        return EncodedRows(
            self.codes[rows],
            self.numeric[rows],
            tuple(ragged.take(rows) for ragged in self.ragged),
            self.labels[rows],
            self.weight[rows],
            self.user[rows],
            self.request[rows],
            self.row[rows],
        )

    def slice(self, start: int, stop: int) -> "EncodedRows":
        """Return rows start to stop as views."""
        return EncodedRows(
            self.codes[start:stop],
            self.numeric[start:stop],
            tuple(ragged.slice(start, stop) for ragged in self.ragged),
            self.labels[start:stop],
            self.weight[start:stop],
            self.user[start:stop],
            self.request[start:stop],
            self.row[start:stop],
        )


def concatenate(parts: list[EncodedRows]) -> EncodedRows:
    """Return the rows of all parts, one part after another."""
    if len(parts) == 1:
        return parts[0]
    return EncodedRows(
        np.concatenate([part.codes for part in parts]),
        np.concatenate([part.numeric for part in parts]),
        tuple(_join(column) for column in zip(*(part.ragged for part in parts), strict=True)),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.weight for part in parts]),
        np.concatenate([part.user for part in parts]),
        np.concatenate([part.request for part in parts]),
        np.concatenate([part.row for part in parts]),
    )


def _join(parts: tuple[Ragged, ...]) -> Ragged:
    lengths = np.concatenate([np.diff(part.offsets) for part in parts])
    return Ragged(
        np.concatenate([part.values for part in parts]),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
    )

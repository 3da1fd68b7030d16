"""The tensors of one step.

Shapes: B rows, F categorical columns, M numeric columns, T tasks, L values of a ragged column.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from paretorank.data.encoded import EncodedRows


@dataclass(frozen=True)
class RaggedBatch:
    """Codes of all rows one after another; row i owns values[offsets[i]:offsets[i + 1]]."""

    values: Int[Tensor, " L"]
    offsets: Int[Tensor, " starts"]

    def to(self, device: torch.device | str) -> "RaggedBatch":
        """Return the same on another device."""
        return RaggedBatch(self.values.to(device), self.offsets.to(device))


@dataclass(frozen=True)
class Batch:
    """Inputs, labels and weights of some rows; where a label is not observed it reads 0."""

    codes: Int[Tensor, "B F"]
    numeric: Float[Tensor, "B M"]
    ragged: tuple[RaggedBatch, ...]
    labels: Float[Tensor, "B T"]
    observed: Bool[Tensor, "B T"]
    weight: Float[Tensor, " B"]
    row: Int[Tensor, " B"]

    def __len__(self) -> int:
        return len(self.row)

    def to(self, device: torch.device | str) -> "Batch":
        """Return the same on another device."""
        return Batch(
            self.codes.to(device),
            self.numeric.to(device),
            tuple(ragged.to(device) for ragged in self.ragged),
            self.labels.to(device),
            self.observed.to(device),
            self.weight.to(device),
            self.row.to(device),
        )


def make_batch(rows: EncodedRows) -> Batch:
    """Turn encoded rows into tensors; contiguous rows are not copied."""
    labels = _tensor(rows.labels)
    observed = ~labels.isnan()
    return Batch(
        _tensor(rows.codes),
        _tensor(rows.numeric),
        tuple(RaggedBatch(_tensor(r.values), _tensor(r.offsets)) for r in rows.ragged),
        labels.nan_to_num(nan=0.0),
        observed,
        _tensor(rows.weight),
        _tensor(rows.row),
    )


def _tensor(array: np.ndarray) -> Tensor:
    if not array.flags.writeable:  # a mapped file: torch would warn, and nothing may write there
        array = array.copy()
    return torch.from_numpy(np.ascontiguousarray(array))

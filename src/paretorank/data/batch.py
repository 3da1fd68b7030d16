"""The tensors of one step.

Shapes: B rows, F categorical columns, M numeric columns, T tasks, L values of a ragged column, U
groups of rows that agree in what their requests have in common.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from paretorank.data.encoded import EncodedRows, Ragged
from paretorank.data.sharing import SharedColumns, group_alike


@dataclass(frozen=True)
class RaggedBatch:
    """Codes of all rows one after another; row i owns values[offsets[i]:offsets[i + 1]]."""

    values: Int[Tensor, " L"]
    offsets: Int[Tensor, " starts"]

    def to(self, device: torch.device | str) -> "RaggedBatch":
        """Return the same on another device."""
        return RaggedBatch(self.values.to(device), self.offsets.to(device))

    def take(self, rows: Int[Tensor, " N"]) -> "RaggedBatch":
        """Return the lists of some rows."""
        starts, lengths = self.offsets[rows], self.offsets.diff()[rows]
        offsets = F.pad(lengths.cumsum(0), (1, 0)).to(self.offsets.dtype)
        shift = (starts - offsets[:-1]).repeat_interleave(lengths)
        places = torch.arange(len(shift), device=shift.device) + shift
        return RaggedBatch(self.values[places], offsets)


@dataclass(frozen=True)
class SharedPart:
    """What requests have in common, once per group of rows that agree in it."""

    columns: SharedColumns
    first: Int[Tensor, " U"]
    """A row of each group: the group's columns are those of this row."""
    ragged: tuple[RaggedBatch, ...]
    """The shared ragged columns, one list per group, in the order of `columns.ragged`."""
    group: Int[Tensor, " B"]
    """The group of each row."""
    members: Int[Tensor, " B"]
    """The rows, group by group."""
    starts: Int[Tensor, " U"]
    """Where each group begins among the members."""

    def to(self, device: torch.device | str) -> "SharedPart":
        """Return the same on another device."""
        return SharedPart(
            self.columns,
            self.first.to(device),
            tuple(ragged.to(device) for ragged in self.ragged),
            self.group.to(device),
            self.members.to(device),
            self.starts.to(device),
        )

    def cut_out(self, start: int, part: "Batch") -> "SharedPart":
        """Return what the requests of some rows have in common.

        Args:
            start: where the rows begin.
            part: the rows.
        """
        own = self.group[start : start + len(part)]
        _, group, sizes = torch.unique(own, return_inverse=True, return_counts=True)
        members = group.argsort(stable=True)
        starts = sizes.cumsum(0) - sizes
        first = members[starts]
        ragged = tuple(part.ragged[at].take(first) for at in self.columns.ragged)
        return SharedPart(self.columns, first, ragged, group, members, starts)


@dataclass(frozen=True)
class Batch:
    """Inputs, labels and weights of some rows; where a label is not observed it reads 0."""

    codes: Int[Tensor, "B F"]
    numeric: Float[Tensor, "B M"]
    ragged: tuple[RaggedBatch, ...]
    labels: Float[Tensor, "B T"]
    observed: Bool[Tensor, "B T"]
    weight: Float[Tensor, " B"]
    request: Int[Tensor, " B"]
    """Code of the request, which is the user where the log has no requests."""
    row: Int[Tensor, " B"]
    shared: SharedPart | None = None
    """What requests have in common, if it was put aside."""
    preference: Float[Tensor, "B T"] | None = None
    """How much each task is to count for a model that can be told; None is the model's default."""

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
            self.request.to(device),
            self.row.to(device),
            None if self.shared is None else self.shared.to(device),
            None if self.preference is None else self.preference.to(device),
        )

    def preferring(self, preference: Float[Tensor, " T"]) -> "Batch":
        """Return the same rows, all with one preference."""
        return replace(self, preference=preference.expand(len(self), -1))

    def split(self, n_rows: int) -> list["Batch"]:
        """Return the same rows in batches of at most so many, in order."""
        return [self._rows(start, start + n_rows) for start in range(0, len(self), n_rows)]

    def _rows(self, start: int, stop: int) -> "Batch":
        at = slice(start, stop)
        rows = torch.arange(start, min(stop, len(self)), device=self.row.device)
        part = Batch(
            self.codes[at],
            self.numeric[at],
            tuple(ragged.take(rows) for ragged in self.ragged),
            self.labels[at],
            self.observed[at],
            self.weight[at],
            self.request[at],
            self.row[at],
            preference=None if self.preference is None else self.preference[at],
        )
        shared = None if self.shared is None else self.shared.cut_out(start, part)
        return replace(part, shared=shared)


def make_batch(rows: EncodedRows, shared: SharedColumns | None = None) -> Batch:
    """Turn encoded rows into tensors; contiguous rows are not copied.

    Args:
        rows: the rows.
        shared: columns to put aside, once per group of rows that agree in them.
    """
    labels = _tensor(rows.labels)
    observed = ~labels.isnan()
    return Batch(
        _tensor(rows.codes),
        _tensor(rows.numeric),
        tuple(_ragged(column) for column in rows.ragged),
        labels.nan_to_num(nan=0.0),
        observed,
        _tensor(rows.weight),
        _tensor(rows.request),
        _tensor(rows.row),
        _shared_part(rows, shared) if shared else None,
    )


def _shared_part(rows: EncodedRows, columns: SharedColumns) -> SharedPart:
    groups = group_alike(rows, columns)
    sizes = np.bincount(groups.group, minlength=len(groups.first))
    return SharedPart(
        columns,
        torch.from_numpy(groups.first),
        tuple(_ragged(rows.ragged[at].take(groups.first)) for at in columns.ragged),
        torch.from_numpy(groups.group),
        torch.from_numpy(np.argsort(groups.group, kind="stable")),
        torch.from_numpy(np.cumsum(sizes) - sizes),
    )


def _ragged(column: Ragged) -> RaggedBatch:
    return RaggedBatch(_tensor(column.values), _tensor(column.offsets))


def _tensor(array: np.ndarray) -> Tensor:
    if not array.flags.writeable:  # a mapped file: torch would warn, and nothing may write there
        array = array.copy()
    return torch.from_numpy(np.ascontiguousarray(array))

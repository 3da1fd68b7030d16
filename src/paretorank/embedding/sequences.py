"""How every ragged column becomes one vector per row.

Shapes: B rows, L ids of all rows, d width.
"""

from collections.abc import Sequence
from typing import Literal, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from paretorank.data.layout import Layout, RaggedColumn
from paretorank.embedding.history_transformer import HistoryTransformer
from paretorank.embedding.pooling import pool
from paretorank.embedding.target_attention import TargetAttention


class SequencePools(nn.Module):
    """The pooling of each ragged column, by its place."""

    def __init__(self, layout: Layout, dims: Sequence[int], *, generator: torch.Generator) -> None:
        super().__init__()
        self.columns = layout.ragged
        self.learned = nn.ModuleDict()
        features = [column.feature for column in layout.categorical]
        self.targets: dict[int, int] = {}
        """Ragged column -> categorical column that it is compared with."""
        for at, (column, dim) in enumerate(zip(layout.ragged, dims, strict=True)):
            if column.pooling == "target_attention":
                self.targets[at] = features.index(str(column.target))
            if network := _network(column, dim, generator):
                self.learned[str(at)] = network

    def forward(
        self,
        at: int,
        vectors: Float[Tensor, "L d"],
        offsets: Int[Tensor, " starts"],
        target: Float[Tensor, "B d"] | None = None,
    ) -> Float[Tensor, "B d"]:
        """Return one vector per row from the vectors of column `at`."""
        if at in self.targets:
            attended: Tensor = self.learned[str(at)](target, vectors, offsets)
            return attended
        if str(at) in self.learned:
            read: Tensor = self.learned[str(at)](vectors, offsets)
            return read
        kind = cast("Literal['sum', 'mean', 'max']", self.columns[at].pooling)
        return pool(vectors, offsets, kind)


def _network(column: RaggedColumn, dim: int, generator: torch.Generator) -> nn.Module | None:
    match column.pooling:
        case "target_attention":
            return TargetAttention(
                dim,
                _length(column),
                normalize=column.normalize_attention,
                generator=generator,
            )
        case "transformer":
            return HistoryTransformer(dim, _length(column), generator=generator)
        case _:
            return None


def _length(column: RaggedColumn) -> int:
    if column.max_length is None:
        raise ValueError(f"The column {column.feature!r} must say how long its lists may be.")
    return column.max_length

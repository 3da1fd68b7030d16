"""The only entrance to a model: Batch -> x [B, D].

Shapes: B rows, D input width, U groups of rows that agree in what their requests have in common.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal, cast

import torch
from torch import Tensor, nn

from paretorank.blocks import GroupedRows, Groups, Rows
from paretorank.data.batch import Batch, RaggedBatch, SharedPart
from paretorank.data.layout import Layout
from paretorank.data.sharing import SharedColumns
from paretorank.embedding.numbers import NumberInputs
from paretorank.embedding.parts import Parts, split_parts
from paretorank.embedding.pooling import pool
from paretorank.embedding.tables import FusedTables


class FeatureBank(nn.Module):
    """Looks up, pools and concatenates everything that is known about a row."""

    def __init__(
        self,
        layout: Layout,
        *,
        default_dim: int,
        generator: torch.Generator,
        init_std: float = 0.01,
    ) -> None:
        super().__init__()
        self.layout = layout
        dims = {table.name: table.dim or default_dim for table in layout.tables}
        self.tables = nn.ModuleDict()
        for dim in sorted(set(dims.values())):
            owners = [table for table in layout.tables if dims[table.name] == dim]
            self.tables[str(dim)] = FusedTables(owners, dim, generator=generator, init_std=init_std)
        self._dims = [dims[column.table] for column in layout.categorical]
        self._ragged_dims = [dims[column.table] for column in layout.ragged]
        starts = [
            self._start(dim, column.table)
            for dim, column in zip(self._dims, layout.categorical, strict=True)
        ]
        self.register_buffer("starts", torch.tensor(starts, dtype=torch.long), persistent=False)
        self.numbers = NumberInputs(layout.numeric)
        self._everything = Parts.of(self._dims, self._ragged_dims, self.numbers.columns)
        self.out_dim = self._everything.width
        self._split = lru_cache(maxsize=4)(self._split_anew)

    starts: Tensor

    def forward(self, batch: Batch) -> Rows:
        """Return the inputs of the dense network, a matrix [B, D].

        Columns that a batch keeps once per group stay so: the first layer decides what to do.
        """
        if batch.shared is None:
            return self._inputs(self._everything, batch.codes, batch.numeric, batch.ragged)
        return self._grouped(batch, batch.shared)

    def embedding_parameters(self) -> Mapping[str, nn.Parameter]:
        """Return the tables, which get sparse gradients, by name."""
        return {name: cast("FusedTables", table).weight for name, table in self.tables.items()}

    def _grouped(self, batch: Batch, part: SharedPart) -> GroupedRows:
        own, shared, columns = self._split(part.columns)
        ragged: list[RaggedBatch | None] = [None] * len(batch.ragged)
        for at, column in zip(part.columns.ragged, part.ragged, strict=True):
            ragged[at] = column
        return GroupedRows(
            self._inputs(own, batch.codes, batch.numeric, batch.ragged),
            self._inputs(shared, batch.codes[part.first], batch.numeric[part.first], ragged),
            Groups(part.group, part.members, part.starts),
            columns.to(batch.codes.device),
        )

    def _split_anew(self, columns: SharedColumns) -> tuple[Parts, Parts, Tensor]:
        return split_parts(self._everything, columns)

    def _inputs(
        self, parts: Parts, codes: Tensor, numeric: Tensor, ragged: Sequence[RaggedBatch | None]
    ) -> Tensor:
        """Return the inputs that come from some of the columns, side by side."""
        blocks = [self._look_up(dim, codes, columns) for dim, columns in parts.categorical.items()]
        blocks += [self._pool(at, ragged[at]) for at in parts.ragged]
        if parts.numbers:
            numbers = self.numbers(numeric)
            every = len(parts.numbers) == self.numbers.out_dim
            blocks.append(numbers if every else numbers[:, list(parts.numbers)])
        if not blocks:
            return numeric.new_zeros(len(codes), 0)
        return torch.cat(blocks, dim=1)

    def _look_up(self, dim: int, codes: Tensor, columns: tuple[int, ...]) -> Tensor:
        if len(columns) == codes.shape[1]:
            index = codes + self.starts
        else:
            index = codes[:, list(columns)] + self.starts[list(columns)]
        vectors: Tensor = self.tables[str(dim)](index)
        return vectors.flatten(1)

    def _pool(self, at: int, ragged: RaggedBatch | None) -> Tensor:
        if ragged is None:
            raise ValueError(f"The batch has no ragged column {at}.")
        dim, column = self._ragged_dims[at], self.layout.ragged[at]
        vectors = self.tables[str(dim)](ragged.values.long() + self._start(dim, column.table))
        kind = cast("Literal['sum', 'mean', 'max']", column.pooling)
        return pool(vectors, ragged.offsets, kind)

    def _start(self, dim: int, table: str) -> int:
        return cast("FusedTables", self.tables[str(dim)]).starts[table]

"""The only entrance to a model: Batch -> x [B, D].

Shapes: B rows, D input width.
"""

from collections.abc import Mapping
from typing import Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from paretorank.data.batch import Batch
from paretorank.data.layout import Layout, RaggedColumn
from paretorank.embedding.numbers import NumberInputs
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
        self._columns: dict[str, list[int]] = {}
        for dim in sorted(set(dims.values())):
            owners = [table for table in layout.tables if dims[table.name] == dim]
            self.tables[str(dim)] = FusedTables(owners, dim, generator=generator, init_std=init_std)
        self._ragged = [str(dims[column.table]) for column in layout.ragged]
        for at, column in enumerate(layout.categorical):
            self._columns.setdefault(str(dims[column.table]), []).append(at)
        for dim_name, columns in self._columns.items():
            starts = [self._start(dim_name, layout.categorical[at].table) for at in columns]
            self.register_buffer(f"start_{dim_name}", torch.tensor(starts), persistent=False)
        self.numbers = NumberInputs(layout.numeric)
        looked_up = sum(dims[column.table] for column in layout.categorical)
        pooled = sum(dims[column.table] for column in layout.ragged)
        self.out_dim = self.numbers.out_dim + looked_up + pooled

    def forward(self, batch: Batch) -> Float[Tensor, "B D"]:
        """Return the inputs of the dense network."""
        parts = [self._look_up(dim, batch) for dim in self._columns]
        parts += [self._pool(at, column, batch) for at, column in enumerate(self.layout.ragged)]
        if self.numbers.out_dim:
            parts.append(self.numbers(batch.numeric))
        return torch.cat(parts, dim=1)

    def embedding_parameters(self) -> Mapping[str, nn.Parameter]:
        """Return the tables, which get sparse gradients, by name."""
        return {name: cast("FusedTables", table).weight for name, table in self.tables.items()}

    def _look_up(self, dim: str, batch: Batch) -> Tensor:
        columns = self._columns[dim]
        codes = batch.codes if len(columns) == batch.codes.shape[1] else batch.codes[:, columns]
        start: Tensor = getattr(self, f"start_{dim}")
        return self.tables[dim](codes + start).flatten(1)

    def _pool(self, at: int, column: RaggedColumn, batch: Batch) -> Tensor:
        dim, ragged = self._ragged[at], batch.ragged[at]
        vectors = self.tables[dim](ragged.values.long() + self._start(dim, column.table))
        kind = cast("Literal['sum', 'mean', 'max']", column.pooling)
        return pool(vectors, ragged.offsets, kind)

    def _start(self, dim: str, table: str) -> int:
        return cast("FusedTables", self.tables[dim]).starts[table]

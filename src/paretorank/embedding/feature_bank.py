"""The only entrance to a model: Batch -> x [B, D], and what an architecture reads beside it.

Shapes: B rows, D input width, U groups of rows that agree in what their requests have in common, P
parts of each embedding: the shared one, then one of each task's own where there are such.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from paretorank.blocks import NO_EXTRAS, Extras, GroupedRows, Groups, Rows, whole_rows
from paretorank.data.batch import Batch, RaggedBatch, SharedPart
from paretorank.data.layout import Layout
from paretorank.data.sharing import SharedColumns
from paretorank.embedding.interaction import InputField
from paretorank.embedding.numbers import NumberInputs
from paretorank.embedding.parts import Parts, split_parts
from paretorank.embedding.prior import find_prior
from paretorank.embedding.sequences import SequencePools
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
        n_own: int = 0,
        prior: Sequence[str] = (),
    ) -> None:
        """Draw the tables.

        Args:
            layout: the columns of a batch.
            default_dim: width of embeddings that do not say otherwise.
            generator: where the initial values come from.
            init_std: spread of the embeddings.
            n_own: how many tasks have tables of their own beside the shared ones.
            prior: features whose inputs are handed out once more.

        Raises:
            ConfigError: the prior names a feature without inputs.
        """
        super().__init__()
        self.layout = layout
        self.n_parts = 1 + n_own
        dims = {table.name: table.dim or default_dim for table in layout.tables}
        self.tables = nn.ModuleDict()
        for dim in sorted(set(dims.values())):
            owners = [table for table in layout.tables if dims[table.name] == dim]
            self.tables[str(dim)] = FusedTables(
                owners, dim, generator=generator, init_std=init_std, n_parts=self.n_parts
            )
        self._dims = [dims[column.table] for column in layout.categorical]
        self._ragged_dims = [dims[column.table] for column in layout.ragged]
        starts = [
            self._start(dim, column.table)
            for dim, column in zip(self._dims, layout.categorical, strict=True)
        ]
        self.register_buffer("starts", torch.tensor(starts, dtype=torch.long), persistent=False)
        self.numbers = NumberInputs(layout.numeric)
        self.sequences = SequencePools(layout, self._ragged_dims, generator=generator)
        self._everything = Parts.of(self._dims, self._ragged_dims, self.numbers.columns)
        self.out_dim = self._everything.width
        places = find_prior(prior, layout, self._everything)
        self.prior_dims = tuple(map(len, places))
        """Widths of the inputs of each feature of the prior."""
        flat = [place for feature in places for place in feature]
        self.register_buffer("prior", torch.tensor(flat, dtype=torch.long), persistent=False)
        self._split = lru_cache(maxsize=4)(self._split_anew)

    starts: Tensor
    prior: Tensor

    def forward(self, batch: Batch) -> Rows:
        """Return the inputs of the dense network, a matrix [B, D].

        Columns that a batch keeps once per group stay so: the first layer decides what to do.
        """
        return self.inputs(batch)[0]

    def inputs(self, batch: Batch) -> tuple[Rows, Extras]:
        """Return the inputs, and what the architecture asked for beside them."""
        if batch.shared is None:
            parts = self._inputs(self._everything, batch.codes, batch.numeric, batch.ragged)
            own = Extras(by_task=parts[1:]) if self.n_parts > 1 else NO_EXTRAS
            return self._with_prior(_first(parts), own)
        return self._with_prior(*self._grouped(batch, batch.shared))

    def fields(self) -> list[InputField]:
        """Return the embeddings among the inputs; with one width they come first, in this order."""
        codes = zip(self.layout.categorical, self._dims, strict=True)
        ragged = zip(self.layout.ragged, self._ragged_dims, strict=True)
        fields = [InputField(column.feature, dim) for column, dim in codes]
        return fields + [InputField(column.feature, dim) for column, dim in ragged]

    def embedding_parameters(self) -> Mapping[str, nn.Parameter]:
        """Return the tables, which get sparse gradients, by name."""
        return {name: cast("FusedTables", table).weight for name, table in self.tables.items()}

    def _grouped(self, batch: Batch, part: SharedPart) -> tuple[GroupedRows, Extras]:
        of_row, of_group, columns = self._split(part.columns)
        ragged: list[RaggedBatch | None] = [None] * len(batch.ragged)
        for at, column in zip(part.columns.ragged, part.ragged, strict=True):
            ragged[at] = column
        own = self._inputs(of_row, batch.codes, batch.numeric, batch.ragged)
        shared = self._inputs(of_group, batch.codes[part.first], batch.numeric[part.first], ragged)
        groups = Groups(part.group, part.members, part.starts)
        columns = columns.to(batch.codes.device)
        x = GroupedRows(_first(own), _first(shared), groups, columns)
        if self.n_parts == 1:
            return x, NO_EXTRAS
        by_task = [
            GroupedRows(own[at], shared[at], groups, columns).whole()
            for at in range(1, self.n_parts)
        ]
        return x, Extras(by_task=torch.stack(by_task))

    def _with_prior(self, x: Rows, extras: Extras) -> tuple[Rows, Extras]:
        if not self.prior_dims:
            return x, extras
        whole = whole_rows(x)  # who gates all inputs has no use for groups
        return whole, replace(extras, prior=whole.index_select(1, self.prior))

    def _split_anew(self, columns: SharedColumns) -> tuple[Parts, Parts, Tensor]:
        # What is compared with the row's own item differs from row to row.
        ragged = tuple(at for at in columns.ragged if at not in self.sequences.targets)
        return split_parts(self._everything, replace(columns, ragged=ragged))

    def _inputs(
        self, parts: Parts, codes: Tensor, numeric: Tensor, ragged: Sequence[RaggedBatch | None]
    ) -> Float[Tensor, "P B D"]:
        """Return the inputs that come from some of the columns, side by side."""
        blocks = [self._look_up(dim, codes, columns) for dim, columns in parts.categorical.items()]
        blocks += [self._pool(at, ragged[at], codes) for at in parts.ragged]
        if parts.numbers:
            numbers = self.numbers(numeric)
            every = len(parts.numbers) == self.numbers.out_dim
            numbers = numbers if every else numbers[:, list(parts.numbers)]
            blocks.append(numbers.expand(self.n_parts, -1, -1))
        if not blocks:
            return numeric.new_zeros(self.n_parts, len(codes), 0)
        return torch.cat(blocks, dim=2)

    def _look_up(
        self, dim: int, codes: Tensor, columns: tuple[int, ...]
    ) -> Float[Tensor, "P B inputs"]:
        if len(columns) == codes.shape[1]:
            index = codes + self.starts
        else:
            index = codes[:, list(columns)] + self.starts[list(columns)]
        vectors: Tensor = self.tables[str(dim)](index)
        return vectors.view(*index.shape, self.n_parts, dim).movedim(2, 0).flatten(2)

    def _pool(self, at: int, ragged: RaggedBatch | None, codes: Tensor) -> Float[Tensor, "P B d"]:
        if ragged is None:
            raise ValueError(f"The batch has no ragged column {at}.")
        dim, table = self._ragged_dims[at], self.layout.ragged[at].table
        vectors = self._vectors(dim, ragged.values.long() + self._start(dim, table))
        targets: Sequence[Tensor | None] = [None] * self.n_parts
        if (column := self.sequences.targets.get(at)) is not None:
            targets = self._vectors(dim, codes[:, column] + self.starts[column])
        both = zip(vectors, targets, strict=True)
        pooled = [self.sequences(at, part, ragged.offsets, target) for part, target in both]
        return torch.stack(pooled) if len(pooled) > 1 else pooled[0].unsqueeze(0)

    def _vectors(self, dim: int, index: Tensor) -> Sequence[Tensor]:
        """Return the vectors of each part."""
        vectors: Tensor = self.tables[str(dim)](index)
        return vectors.chunk(self.n_parts, dim=1) if self.n_parts > 1 else (vectors,)

    def _start(self, dim: int, table: str) -> int:
        return cast("FusedTables", self.tables[str(dim)]).starts[table]


def _first(parts: Float[Tensor, "P B D"]) -> Float[Tensor, "B D"]:
    return parts.squeeze(0) if len(parts) == 1 else parts[0]  # a view costs nothing going back

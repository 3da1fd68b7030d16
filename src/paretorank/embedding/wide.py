"""The wide part: one weight per task for every code and every number.

Source: Cheng et al., "Wide & Deep Learning for Recommender Systems", DLRS 2016, section 3.1; here
with one linear model per task, so that each task keeps biases of its own beside the shared deep
part.
Shapes: B rows, T tasks.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from paretorank.data.batch import Batch
from paretorank.data.layout import Layout
from paretorank.embedding.numbers import NumberInputs
from paretorank.embedding.pooling import pool
from paretorank.embedding.tables import FusedTables


class Wide(nn.Module):
    """A sum of weights per task, which starts at zero."""

    def __init__(self, layout: Layout, *, n_tasks: int) -> None:
        super().__init__()
        self.layout = layout
        tables = list(layout.tables)
        # A spread of 0: nothing is drawn, every weight starts at zero.
        self.table = FusedTables(tables, n_tasks, generator=torch.Generator(), init_std=0.0)
        starts = [self.table.starts[column.table] for column in layout.categorical]
        self.register_buffer("starts", torch.tensor(starts, dtype=torch.long), persistent=False)
        self.numbers = NumberInputs(layout.numeric)
        self.weight = nn.Parameter(torch.zeros(self.numbers.out_dim, n_tasks))

    starts: Tensor

    def forward(self, batch: Batch) -> Float[Tensor, "B T"]:
        """Return what the wide part adds to every logit."""
        total = self._codes(batch)
        for at, column in enumerate(self.layout.ragged):
            ragged = batch.ragged[at]
            vectors = self.table(ragged.values.long() + self.table.starts[column.table])
            total = total + pool(vectors, ragged.offsets, "mean")
        return total + self.numbers(batch.numeric) @ self.weight

    def _codes(self, batch: Batch) -> Float[Tensor, "B T"]:
        part, codes = batch.shared, batch.codes
        if part is None:
            return self._sum(codes, self.starts)
        shared = list(part.columns.categorical)
        own = [at for at in range(codes.shape[1]) if at not in part.columns.categorical]
        common = self._sum(codes[part.first][:, shared], self.starts[shared])
        return self._sum(codes[:, own], self.starts[own]) + common.index_select(0, part.group)

    def _sum(self, codes: Int[Tensor, "N F"], starts: Int[Tensor, " F"]) -> Float[Tensor, "N T"]:
        total: Tensor = self.table(codes + starts).sum(dim=1)
        return total

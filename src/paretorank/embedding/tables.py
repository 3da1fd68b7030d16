"""All embedding tables of one width as one matrix, so that a batch needs one gather per width.

A row of the matrix may have several parts of that width: the embedding that all tasks share, then
one of each task's own. One gather gives them all.
Gradients are sparse: a step costs what the batch touches, not what the tables hold.
Shapes: N codes of all tables, P parts, d the width of each.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from paretorank.data.layout import TableSpec

_INIT_STD = 0.01


class FusedTables(nn.Module):
    """Several tables of one width in one weight matrix; table t begins at `starts[t]`."""

    def __init__(
        self,
        tables: list[TableSpec],
        dim: int,
        *,
        generator: torch.Generator,
        init_std: float = _INIT_STD,
        n_parts: int = 1,
    ) -> None:
        super().__init__()
        sizes = [table.n_codes for table in tables]
        starts = torch.tensor([0, *sizes]).cumsum(0)[:-1].tolist()
        self.starts = {table.name: start for table, start in zip(tables, starts, strict=True)}
        self.dim = dim
        self.n_parts = n_parts
        weight = torch.empty(sum(sizes), n_parts * dim)
        for at in range(n_parts):
            weight[:, at * dim : (at + 1) * dim].normal_(0.0, init_std, generator=generator)
        self.weight = nn.Parameter(weight)

    def forward(self, index: Int[Tensor, "..."]) -> Float[Tensor, "... d"]:
        """Return the rows of codes that already carry their table's offset, part by part."""
        return F.embedding(index, self.weight, sparse=True)

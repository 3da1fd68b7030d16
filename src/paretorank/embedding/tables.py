"""All embedding tables of one width as one matrix, so that a batch needs one gather per width.

Gradients are sparse: a step costs what the batch touches, not what the tables hold.
Shapes: B rows, F columns of this width, d the width.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from paretorank.data.layout import TableSpec

_INIT_STD = 0.01


class FusedTables(nn.Module):
    """Several tables of one width in one weight matrix; table t begins at `offsets[t]`."""

    def __init__(
        self,
        tables: list[TableSpec],
        dim: int,
        *,
        generator: torch.Generator,
        init_std: float = _INIT_STD,
    ) -> None:
        super().__init__()
        sizes = [table.n_codes for table in tables]
        starts = torch.tensor([0, *sizes]).cumsum(0)[:-1].tolist()
        self.starts = {table.name: start for table, start in zip(tables, starts, strict=True)}
        self.dim = dim
        weight = torch.empty(sum(sizes), dim).normal_(0.0, init_std, generator=generator)
        self.weight = nn.Parameter(weight)

    def forward(self, index: Int[Tensor, "..."]) -> Float[Tensor, "... d"]:
        """Return the vectors of codes that already carry their table's offset."""
        return F.embedding(index, self.weight, sparse=True)

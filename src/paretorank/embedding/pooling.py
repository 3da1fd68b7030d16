"""One vector from the vectors of a ragged sequence: sum, mean or max; an empty row gives zero.

Shapes: B rows, L values of all rows, d width.
"""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor


def pool(
    vectors: Float[Tensor, "L d"],
    offsets: Int[Tensor, " starts"],
    pooling: Literal["sum", "mean", "max"],
) -> Float[Tensor, "B d"]:
    """Pool the vectors of each row."""
    lengths = offsets.diff()
    n_rows, dim = len(lengths), vectors.shape[1]
    row = torch.repeat_interleave(torch.arange(n_rows, device=vectors.device), lengths)
    zeros = vectors.new_zeros(n_rows, dim)
    if pooling == "max":
        index = row.unsqueeze(1).expand_as(vectors)
        return zeros.scatter_reduce(0, index, vectors, "amax", include_self=False)
    total = zeros.index_add(0, row, vectors)
    if pooling == "sum":
        return total
    return total / lengths.clamp(min=1).unsqueeze(1).to(vectors.dtype)

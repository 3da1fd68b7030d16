"""Lists of vectors as one block: the last ids of each row, ending at the last place.

Shapes: B rows, L values of all rows, K places per row, d width.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor


def pad_last(
    vectors: Float[Tensor, "L d"], offsets: Int[Tensor, " starts"], length: int
) -> tuple[Float[Tensor, "B K d"], Bool[Tensor, "B K"]]:
    """Return the last `length` vectors of each row, and which places are taken.

    Free places come first and hold zeros, which no gradient leaves.
    """
    ends = offsets[1:].unsqueeze(1)
    place = ends - length + torch.arange(length, device=offsets.device)
    is_taken = place >= offsets[:-1].unsqueeze(1)
    with_zeros = F.pad(vectors, (0, 0, 0, 1))
    index = place.where(is_taken, offsets[-1])
    # Faster on the way back than `with_zeros[index]`.
    return with_zeros.index_select(0, index.flatten()).view(*index.shape, -1), is_taken

"""Target attention: what a user did before counts as far as it bears on the item of the row.

Source: Zhou et al., Deep Interest Network for Click-Through Rate Prediction, KDD 2018, section 4.3
    (local activation unit; the weights are not normalised, so that a strong interest shows).
The paper feeds the outer product of both vectors beside them; as its authors' code does, the
network reads [target, id, target - id, target * id].
The order of the ids plays no part. An empty list gives zeros.
Shapes: B rows, L ids of all rows, K places per row, d width.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from paretorank.blocks import MLP, Linear
from paretorank.embedding.padding import pad_last

_HIDDEN_DIMS = (36,)  # of the activation unit, as in figure 2 of the paper


class TargetAttention(nn.Module):
    """Weighs each id of a list by what a small network makes of it and the target, and adds up."""

    def __init__(
        self, dim: int, max_length: int, *, normalize: bool = False, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.hidden = MLP(4 * dim, _HIDDEN_DIMS, generator=generator, activation="silu")
        self.score = Linear(self.hidden.out_dim, 1, generator=generator)
        self.max_length = max_length
        self.normalize = normalize

    def forward(
        self,
        target: Float[Tensor, "B d"],
        vectors: Float[Tensor, "L d"],
        offsets: Int[Tensor, " starts"],
    ) -> Float[Tensor, "B d"]:
        """Return the weighted sum of each row's vectors."""
        ids, is_taken = pad_last(vectors, offsets, self.max_length)
        beside = target.unsqueeze(1).expand_as(ids)
        read = torch.cat([beside, ids, beside - ids, beside * ids], dim=2)
        weights: Tensor = self.score(self.hidden(read)).squeeze(2)
        if self.normalize:
            # The lowest number instead of minus infinity: a row without ids gives no NaN.
            weights = weights.where(is_taken, torch.finfo(weights.dtype).min).softmax(dim=1)
        weights = weights.where(is_taken, 0.0)
        return torch.bmm(weights.unsqueeze(1), ids).squeeze(1)

"""A small causal transformer over what a user did before, read at the last id.

Source: Kang and McAuley, Self-Attentive Sequential Recommendation, ICDM 2018, section III (learned
    positions, causal attention); Xiong et al., On Layer Normalization in the Transformer
    Architecture, ICML 2020, figure 1 (normalisation before each part, which needs no warm-up).
Positions count from the end: the last id has the same one in every list. An empty list gives a
learned vector.
Shapes: B rows, L ids of all rows, K places per row, d width.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from paretorank.blocks import Linear
from paretorank.embedding.padding import pad_last

N_BLOCKS = 2  # as in the paper
_POSITION_STD = 0.02
_N_HEADS = (4, 2, 1)  # the first that divides the width
_WIDENING = 2  # of the hidden layer of each block


class HistoryTransformer(nn.Module):
    """Reads the last ids of each row in order and returns one vector."""

    def __init__(self, dim: int, max_length: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.max_length = max_length
        self.positions = _small(max_length, dim, generator=generator)
        self.nothing = _small(dim, generator=generator)
        """What an empty list gives."""
        self.blocks = nn.ModuleList(_Block(dim, generator=generator) for _ in range(N_BLOCKS))
        self.norm = nn.LayerNorm(dim)

    def forward(
        self, vectors: Float[Tensor, "L d"], offsets: Int[Tensor, " starts"]
    ) -> Float[Tensor, "B d"]:
        """Return what the last place of each row has become."""
        h, is_taken = pad_last(vectors, offsets, self.max_length)
        h = h + self.positions
        may_see = _visible(is_taken)
        for block in self.blocks:
            h = block(h, may_see)
        return torch.where(is_taken[:, -1:], self.norm(h[:, -1]), self.nothing)


class _Block(nn.Module):
    """Attention, then two layers for each place."""

    def __init__(self, dim: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.n_heads = next(heads for heads in _N_HEADS if dim % heads == 0)
        self.before_attention = nn.LayerNorm(dim)
        self.before_layers = nn.LayerNorm(dim)
        self.ask_key_value = Linear(dim, 3 * dim, generator=generator)
        self.together = Linear(dim, dim, generator=generator)
        self.widen = Linear(dim, _WIDENING * dim, generator=generator)
        self.narrow = Linear(_WIDENING * dim, dim, generator=generator)

    def forward(
        self, h: Float[Tensor, "B K d"], may_see: Bool[Tensor, "B 1 K K"]
    ) -> Float[Tensor, "B K d"]:
        parts = self.ask_key_value(self.before_attention(h)).unflatten(2, (3, self.n_heads, -1))
        ask, key, value = parts.permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(ask, key, value, attn_mask=may_see)
        h = h + self.together(seen.transpose(1, 2).flatten(2))
        deeper: Tensor = self.narrow(F.silu(self.widen(self.before_layers(h))))
        return h + deeper


def _visible(is_taken: Bool[Tensor, "B K"]) -> Bool[Tensor, "B 1 K K"]:
    """Return which places each place may see: taken ones up to its own.

    Free places see themselves, since a softmax over nothing would be NaN; nobody sees them.
    """
    length = is_taken.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=is_taken.device).tril()
    itself = torch.eye(length, dtype=torch.bool, device=is_taken.device)
    return (is_taken[:, None, None, :] & causal) | itself


def _small(*shape: int, generator: torch.Generator) -> nn.Parameter:
    return nn.Parameter(torch.empty(*shape).normal_(0.0, _POSITION_STD, generator=generator))

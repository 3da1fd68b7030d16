"""A small causal transformer over what a user did before, read at the last id.

Source: Kang and McAuley, Self-Attentive Sequential Recommendation, ICDM 2018, section III (learned
    positions, causal attention); Xiong et al., On Layer Normalization in the Transformer
    Architecture, ICML 2020, figure 1 (normalisation before each part, which needs no warm-up).
One head and two layers as wide as the embedding per block, as in the first of these.
Positions count from the end: the last id has the same one in every list. An empty list gives a
learned vector.
Shapes: B rows, L ids of all rows, K places per row, Q of them that ask, d width.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from paretorank.blocks import Linear
from paretorank.embedding.padding import pad_last

N_BLOCKS = 2  # as in the paper
_POSITION_STD = 0.02


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
        *first, last = self.blocks
        for block in first:
            h = block(h, h, may_see)
        end: Tensor = last(h[:, -1:], h, may_see[:, -1:])  # nobody reads the other places
        return torch.where(is_taken[:, -1:], self.norm(end.squeeze(1)), self.nothing)


class _Block(nn.Module):
    """Attention, then two layers for each place."""

    def __init__(self, dim: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.before_attention = nn.LayerNorm(dim)
        self.before_layers = nn.LayerNorm(dim)
        self.ask = Linear(dim, dim, generator=generator)
        self.key_value = Linear(dim, 2 * dim, generator=generator)
        self.hidden = Linear(dim, dim, generator=generator)
        self.out = Linear(dim, dim, generator=generator)

    def forward(
        self,
        h: Float[Tensor, "B Q d"],
        seen: Float[Tensor, "B K d"],
        may_see: Bool[Tensor, "B Q K"],
    ) -> Float[Tensor, "B Q d"]:
        ask = self.ask(self.before_attention(h))
        key, value = self.key_value(self.before_attention(seen)).chunk(2, dim=2)
        h = h + F.scaled_dot_product_attention(ask, key, value, attn_mask=may_see)
        deeper: Tensor = self.out(F.relu(self.hidden(self.before_layers(h))))
        return h + deeper


def _visible(is_taken: Bool[Tensor, "B K"]) -> Bool[Tensor, "B K K"]:
    """Return which places each place may see: taken ones up to its own.

    Free places see themselves, since a softmax over nothing would be NaN; nobody sees them.
    """
    length = is_taken.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=is_taken.device).tril()
    itself = torch.eye(length, dtype=torch.bool, device=is_taken.device)
    return (is_taken.unsqueeze(1) & causal) | itself


def _small(*shape: int, generator: torch.Generator) -> nn.Parameter:
    return nn.Parameter(torch.empty(*shape).normal_(0.0, _POSITION_STD, generator=generator))

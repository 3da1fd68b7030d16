"""Attention-based MMoE: a learned context vector per task asks, the experts' outputs answer.

Source: practice reports of the recommender of QQ Kandian (Tencent, 2021), whose defining text is
    only known in summary: each task owns a trained context vector that is the query, the experts'
    outputs are keys and values. This is our reconstruction, not a reproduction.
The sources do not fix the scoring, so three are offered: scaled dot product (Vaswani et al.,
Attention Is All You Need, NeurIPS 2017, equation 1), dot product, and additive (Bahdanau et al.,
Neural Machine Translation by Jointly Learning to Align and Translate, ICLR 2015, section A.1.2,
without the term of the previous state).
The query does not depend on the row; the weights do, through the keys. The gates of MMoE cost
T * D * E parameters, this attention T * K (+ H * K with a projection).
Shapes: B rows, T tasks, D input width, E experts, H expert width, K key width.
"""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import PositiveInt
from torch import Tensor, nn
from typing_extensions import override

from paretorank.architectures.base import Architecture
from paretorank.architectures.experts_config import ExpertsConfig
from paretorank.blocks import NO_EXTRAS, Extras, Linear, Rows, mix_experts

CONTEXT_STD = 0.02  # small, so that every task starts near the plain mean of the experts

Scoring = Literal["scaled_dot", "dot", "additive"]


class AttentionMMoEConfig(ExpertsConfig):
    """Hyper-parameters of attention-based MMoE."""

    kind: Literal["attention_mmoe"] = "attention_mmoe"
    scoring: Scoring = "scaled_dot"
    """scaled_dot: query times key over the root of the key width; dot: without the root, which
    saturates with wide experts; additive: query times tanh of the projected key."""
    key_dim: PositiveInt | None = None
    """Width of projected keys. None: additive projects to the expert's own width, the others use
    the experts' outputs as keys, so that a growing expert draws attention."""
    normalize_keys: bool = False
    """Give each expert's output mean 0 and variance 1 (over its units) before it becomes a key."""

    def build(self, *, in_dim: int, n_tasks: int, generator: torch.Generator) -> "AttentionMMoE":
        """Return the network with initial values drawn from `generator`."""
        return AttentionMMoE(self, in_dim=in_dim, n_tasks=n_tasks, generator=generator)


class AttentionMMoE(Architecture):
    """Every task attends to the outputs of the same experts with a query of its own."""

    def __init__(
        self, config: AttentionMMoEConfig, *, in_dim: int, n_tasks: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.config = config
        self.experts = config.build_experts(in_dim=in_dim, generator=generator)
        self.out_dim = self.experts.out_dim
        key_dim = config.key_dim or self.out_dim
        has_projection = config.key_dim is not None or config.scoring == "additive"
        self.key_projection = (
            Linear(self.out_dim, key_dim, generator=generator) if has_projection else None
        )
        self.queries = nn.Parameter(
            torch.empty(n_tasks, key_dim).normal_(0, CONTEXT_STD, generator=generator)
        )
        self._scale = 1 / math.sqrt(key_dim) if config.scoring == "scaled_dot" else 1.0

    @override
    def forward(self, x: Rows, extras: Extras = NO_EXTRAS) -> Float[Tensor, "B T H"]:
        experts_BEH = self.experts(x)
        return mix_experts(self._attention(experts_BEH), experts_BEH)

    @override
    def shared_parameters(self) -> list[nn.Parameter]:
        return [parameter for parameter in self.parameters() if parameter is not self.queries]

    @override
    @torch.no_grad()
    def gate_weights(self, x: Rows, extras: Extras = NO_EXTRAS) -> Float[Tensor, "B T E"]:
        return self._attention(self.experts(x))

    def contexts(self) -> Float[Tensor, "T K"]:
        """Return a copy of the context vectors: what each task looks for in an expert."""
        return self.queries.detach().clone()

    def _attention(self, experts: Float[Tensor, "B E H"]) -> Float[Tensor, "B T E"]:
        keys_EBK = experts.transpose(0, 1)  # as it lies in memory: no copy for the products
        if self.config.normalize_keys:
            keys_EBK = F.layer_norm(keys_EBK, keys_EBK.shape[2:])
        if self.key_projection is not None:
            keys_EBK = self.key_projection(keys_EBK)
        if self.config.scoring == "additive":
            keys_EBK = keys_EBK.tanh()
        scores_EBT = F.linear(keys_EBK, self.queries * self._scale)
        return scores_EBT.permute(1, 2, 0).softmax(dim=2)

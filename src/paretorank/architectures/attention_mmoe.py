"""Attention-based MMoE: a learned context vector per task asks, the experts' outputs answer.

Source: practice reports of the recommender of QQ Kandian (Tencent, 2021), whose defining text is
    only known in summary: each task owns a trained context vector that is the query, the experts'
    outputs are keys and values. This is our reconstruction, not a reproduction.
The sources do not fix the scoring, so three are offered: scaled dot product (Vaswani et al.,
Attention Is All You Need, NeurIPS 2017, equation 1), dot product, and additive (Bahdanau et al.,
Neural Machine Translation by Jointly Learning to Align and Translate, ICLR 2015, section A.1.2,
without the term of the previous state).
By default the query does not depend on the row; the weights do, through the keys. The gates of MMoE
cost T * D * E parameters, this attention T * K (+ H * K with a projection). With several heads
(Vaswani et al., section 3.2.2, without projections per head) every head has its share of the key's
and of the expert's units, and a softmax of its own.
Shapes: B rows, T tasks, D input width, E experts, N heads, G = T * N
    queries, H expert width, K key width.
"""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import PositiveInt, model_validator
from torch import Tensor, nn
from typing_extensions import override

from paretorank.architectures.base import Architecture, Represented
from paretorank.architectures.experts_config import ExpertsConfig
from paretorank.architectures.gates_config import GatesConfig
from paretorank.blocks import NO_EXTRAS, Extras, Linear, Rows, linear, mix_experts

CONTEXT_STD = 0.02  # small, so that every task starts near the plain mean of the experts

Scoring = Literal["scaled_dot", "dot", "additive"]
Query = Literal["context", "context_and_input"]


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
    n_heads: PositiveInt = 1
    """Number of queries of a task, each for its share of the units; divides the widths of expert
    and key."""
    query: Query = "context"
    """context: the learned vector of the task alone; context_and_input: plus a projection of the
    input that starts at zero, so that training begins with the context alone."""
    gates: GatesConfig = GatesConfig()
    """How attention weighs experts, and what keeps it from collapsing."""

    @model_validator(mode="after")
    def _heads_share_the_units(self) -> "AttentionMMoEConfig":
        for name, width in (("key_dim", self.key_dim), ("expert_dims", self.expert_dims[-1])):
            if width is not None and width % self.n_heads:
                raise ValueError(
                    f"n_heads must divide the width of {name}, got {self.n_heads} and {width}"
                )
        return self

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
        self.input_projection = (
            nn.Parameter(torch.zeros(n_tasks * key_dim, in_dim))
            if config.query == "context_and_input"
            else None
        )
        self.softmax = config.gates.build_softmax()
        head_dim = key_dim // config.n_heads
        self._scale = 1 / math.sqrt(head_dim) if config.scoring == "scaled_dot" else 1.0

    @override
    def forward(self, x: Rows, extras: Extras = NO_EXTRAS) -> Float[Tensor, "B T H"]:
        return self.represent(x, extras).h

    @override
    def represent(self, x: Rows, extras: Extras = NO_EXTRAS) -> Represented:
        experts_BEH = self.experts(x)
        weights_BGE = self.softmax(self._logits(x, experts_BEH))
        mixed_BGH = mix_experts(weights_BGE, experts_BEH)
        n_heads = self.config.n_heads
        if n_heads == 1:
            return Represented(mixed_BGH, experts_BEH, weights_BGE)
        # Each head is mixed in full, and keeps its share of the units.
        by_head = mixed_BGH.view(len(mixed_BGH), -1, n_heads, n_heads, self.out_dim // n_heads)
        return Represented(by_head.diagonal(dim1=2, dim2=3).transpose(2, 3).flatten(2))

    @override
    def shared_parameters(self) -> list[nn.Parameter]:
        of_tasks = (self.queries, self.input_projection)
        return [p for p in self.parameters() if not any(p is own for own in of_tasks)]

    @override
    @torch.no_grad()
    def gate_weights(self, x: Rows, extras: Extras = NO_EXTRAS) -> Float[Tensor, "B T E"]:
        """Return the mean over the heads."""
        weights: Tensor = self.softmax.plain(self._logits(x, self.experts(x)))
        return weights.view(len(weights), -1, self.config.n_heads, weights.shape[2]).mean(dim=2)

    def contexts(self) -> Float[Tensor, "T K"]:
        """Return a copy of the context vectors: what each task looks for in an expert."""
        return self.queries.detach().clone()

    def context_similarity(self) -> Float[Tensor, "T T"]:
        """Return the cosine between the contexts of tasks: 1 where they look for the same.

        A context of zero has no direction; its cosine with all others, and itself, is 0.
        """
        directions = F.normalize(self.contexts(), dim=1)
        return directions @ directions.T

    def _logits(self, x: Rows, experts: Float[Tensor, "B E H"]) -> Float[Tensor, "B G E"]:
        """Return a score per expert for every head of every task."""
        keys_EBK = experts.transpose(0, 1)  # as it lies in memory: no copy for the products
        if self.config.normalize_keys:
            keys_EBK = F.layer_norm(keys_EBK, keys_EBK.shape[2:])
        if self.key_projection is not None:
            keys_EBK = self.key_projection(keys_EBK)
        if self.config.scoring == "additive":
            keys_EBK = keys_EBK.tanh()
        if self.input_projection is None:
            return F.linear(keys_EBK, self._by_head(self.queries)).permute(1, 2, 0)
        shift_BK = linear(x, self.input_projection)
        queries_BTK = self.queries + shift_BK.view(len(shift_BK), *self.queries.shape)
        return torch.bmm(self._by_head(queries_BTK), keys_EBK.permute(1, 2, 0))

    def _by_head(self, queries: Float[Tensor, "*B T K"]) -> Float[Tensor, "*B G K"]:
        """Return scaled queries that are zero outside the units of their head."""
        n_heads = self.config.n_heads
        units = torch.eye(n_heads, dtype=queries.dtype, device=queries.device)
        apart = (queries * self._scale).view(*queries.shape[:-1], 1, n_heads, -1)
        return (apart * units.unsqueeze(2)).flatten(-2).flatten(-3, -2)

"""Experts that belong to groups, such as tasks, beside shared ones, computed together.

Groups may read one input, or each an input of its own ("stream"). Own and shared experts are
parameters of their own, because only the latter are shared by all losses; they are joined for the
products, which costs one copy of the weights.
Shapes: B rows, D input width, S streams, E experts, H expert width.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from typing_extensions import override

from paretorank.blocks.activations import Activation
from paretorank.blocks.experts import ExpertBank, join_layers, run_experts
from paretorank.blocks.grouped_rows import GroupedRows, Rows


class ExpertGroups(nn.Module):
    """Experts in the order: all of the first group, ..., all of the last, all shared ones.

    There are `n_groups` groups of `n_own` experts, and `n_shared_groups` of `n_shared`.
    """

    stream_of_expert: Tensor

    def __init__(
        self,
        in_dim: int,
        hidden_dims: Sequence[int],
        *,
        n_groups: int,
        n_own: int,
        n_shared: int,
        generator: torch.Generator,
        n_shared_groups: int = 1,
        activation: Activation = "relu",
        dropout_rate: float = 0.0,
    ) -> None:
        super().__init__()
        sizes = {"own": n_groups * n_own, "shared": n_shared_groups * n_shared}
        banks = {
            name: ExpertBank(
                in_dim,
                hidden_dims,
                size,
                generator=generator,
                activation=activation,
                dropout_rate=dropout_rate,
            )
            for name, size in sizes.items()
            if size
        }
        self.own, self.shared = banks.get("own"), banks.get("shared")
        streams = torch.arange(n_groups + n_shared_groups)
        counts = torch.tensor([n_own] * n_groups + [n_shared] * n_shared_groups)
        self.register_buffer(
            "stream_of_expert", streams.repeat_interleave(counts), persistent=False
        )
        self.n_experts = sum(sizes.values())
        self.activation = activation
        self.out_dim = hidden_dims[-1]

    @override
    def forward(self, x: Rows | Float[Tensor, "S B D"]) -> Float[Tensor, "B E H"]:
        """Return every expert's output; `x` is one input, or one for each group."""
        if not isinstance(x, GroupedRows) and x.ndim == 3:  # noqa: PLR2004 - many matrices
            x = x.index_select(0, self.stream_of_expert)
        banks = [bank for bank in (self.own, self.shared) if bank is not None]
        return run_experts(
            x,
            join_layers([bank.layers() for bank in banks]),
            n_experts=self.n_experts,
            activation=self.activation,
            dropouts=banks[0].dropouts,
        )

    def own_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the experts that belong to one group."""
        return [] if self.own is None else list(self.own.parameters())

    def shared_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the shared experts."""
        return [] if self.shared is None else list(self.shared.parameters())

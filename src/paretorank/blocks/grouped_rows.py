"""Rows of which some columns stand once per group, and the linear map of them.

The columns that a group of rows has in common are multiplied with their weights once per group;
the result is added to every row of the group. Value and gradient are those of the plain linear map
of the whole rows, with the sums taken in another order.
Source: Zhao et al., "RecD: Deduplication for End-to-End Deep Learning Recommendation Model Training
    Infrastructure", MLSys 2023, section 5 (deduplicated compute).
Shapes: B rows, D columns, O of them own, S shared, U groups, H width of the output.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from paretorank.blocks.autocast import autocast_inputs

_CACHED_ROWS = 256


@dataclass(frozen=True)
class Groups:
    """Which rows belong together."""

    of_row: Int[Tensor, " B"]
    """The group of each row."""
    members: Int[Tensor, " B"]
    """The rows, group by group."""
    starts: Int[Tensor, " U"]
    """Where each group begins among the members."""

    def total(self, values: Float[Tensor, "B H"]) -> Float[Tensor, "U H"]:
        """Return the sum over the rows of each group."""
        # An embedding bag sums rows of a matrix; it is several times as fast as `index_add`.
        return F.embedding_bag(self.members, values, self.starts, mode="sum")


@dataclass(frozen=True)
class GroupedRows:
    """A matrix [B, D] in two parts: columns that each row has of its own, and shared ones."""

    own: Float[Tensor, "B O"]
    shared: Float[Tensor, "U S"]
    groups: Groups
    columns: Int[Tensor, " D"]
    """Which columns of the whole matrix the own and then the shared ones are."""

    def __len__(self) -> int:
        return len(self.own)

    def whole(self) -> Float[Tensor, "B D"]:
        """Return the matrix itself."""
        side_by_side = torch.cat([self.own, self.shared.index_select(0, self.groups.of_row)], dim=1)
        return side_by_side.index_select(1, self.columns.argsort())


Rows = Float[Tensor, "B D"] | GroupedRows
"""What the first layer of a network reads."""


def whole_rows(x: Rows) -> Float[Tensor, "B D"]:
    """Return rows as a plain matrix."""
    return x.whole() if isinstance(x, GroupedRows) else x


def linear(
    x: Float[Tensor, "*rows D"] | GroupedRows,
    weight: Float[Tensor, "H D"],
    bias: Float[Tensor, " H"] | None = None,
) -> Float[Tensor, "*rows H"]:
    """Return `x @ weight.T + bias`."""
    if not isinstance(x, GroupedRows):
        return F.linear(x, weight, bias)
    if bias is None:
        bias = weight.new_zeros(len(weight))
    groups = x.groups
    result: Tensor = _GroupedLinear.apply(  # type: ignore[no-untyped-call]
        *autocast_inputs(x.own, x.shared, weight, bias),
        x.columns,
        groups.of_row,
        groups.members,
        groups.starts,
    )
    return result


class _GroupedLinear(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917 - autograd hands over tensors by position
        ctx: Any,
        own: Tensor,
        shared: Tensor,
        weight: Tensor,
        bias: Tensor,
        columns: Tensor,
        *groups: Tensor,
    ) -> Tensor:
        # One copy of the weight per step lets both products read contiguous columns.
        by_part = weight.index_select(1, columns)
        n_own = own.shape[1]
        result = own @ by_part[:, :n_own].t()
        # The bias comes with the group's part: adding it to every row would cost a pass of its own.
        common = torch.addmm(bias, shared, by_part[:, n_own:].t())
        _add_spread_(result, common, groups[0])
        ctx.save_for_backward(own, shared, by_part, columns, *groups)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        own, shared, by_part, columns, *groups = ctx.saved_tensors
        n_own = own.shape[1]
        total = Groups(*groups).total(grad.contiguous())
        weight_grad = torch.empty_like(by_part)
        torch.mm(grad.t(), own, out=weight_grad[:, :n_own])
        torch.mm(total.t(), shared, out=weight_grad[:, n_own:])
        return (
            grad @ by_part[:, :n_own],
            total @ by_part[:, n_own:],
            weight_grad.index_select(1, columns.argsort()),
            total.sum(dim=0),
            *(None for _ in range(4)),
        )


def _add_spread_(rows: Tensor, values: Tensor, of_row: Tensor) -> None:
    """Add to each row what its group has, some rows at a time so that the copies stay in cache."""
    for start in range(0, len(rows), _CACHED_ROWS):
        part = slice(start, start + _CACHED_ROWS)
        rows[part] += values.index_select(0, of_row[part])

"""Which rows of a batch were shown together, and sums within them, without a loop.

Shapes: B rows, T tasks, R requests of the batch, P pairs of rows.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

LONGEST_LIST = 256
"""Rows that are paired with one another; a longer request falls into parts of this length."""


@dataclass(frozen=True)
class Requests:
    """The requests of a batch as ranking losses see them."""

    code: Int[Tensor, " B"]
    """Equal for rows of one request."""
    observed: Bool[Tensor, "B T"]
    """Which rows count for each task; the others are compared with nothing."""

    def of(self, columns: Int[Tensor, " n"]) -> "Requests":
        """Return the same for some of the tasks."""
        return Requests(self.code, self.observed.index_select(1, columns))


def segments(code: Int[Tensor, " B"]) -> tuple[Int[Tensor, " B"], int]:
    """Return a number from 0 on for the request of each row, and how many requests there are."""
    found, segment = torch.unique(code, return_inverse=True)
    return segment, len(found)


def segment_sums(
    values: Float[Tensor, "B T"], segment: Int[Tensor, " B"], n_segments: int
) -> Float[Tensor, "R T"]:
    """Return the sum over the rows of each request."""
    zeros = values.new_zeros(n_segments, values.shape[1])
    return zeros.index_add(0, segment, values)


def segment_log_softmax(
    logits: Float[Tensor, "B T"],
    counted: Bool[Tensor, "B T"],
    segment: Int[Tensor, " B"],
    n_segments: int,
) -> Float[Tensor, "B T"]:
    """Return the logarithm of the softmax over the rows of each request that count; 0 elsewhere.

    It costs a few passes over the rows.
    """
    lowest = torch.finfo(logits.dtype).min
    at = segment.unsqueeze(1).expand_as(logits)
    shown = torch.where(counted, logits, lowest).detach()
    largest = shown.new_full((n_segments, logits.shape[1]), lowest)
    largest = largest.scatter_reduce(0, at, shown, "amax").index_select(0, segment)
    shifted = torch.where(counted, logits - largest, 0.0)
    parts = torch.where(counted, shifted.exp(), 0.0)
    totals = segment_sums(parts, segment, n_segments).index_select(0, segment)
    return torch.where(counted, shifted - torch.where(counted, totals, 1.0).log(), 0.0)


def has_pair(
    label: Float[Tensor, "B T"],
    counted: Bool[Tensor, "B T"],
    segment: Int[Tensor, " B"],
    n_segments: int,
) -> Bool[Tensor, "B T"]:
    """Return on which rows the request holds a positive and a negative, of those that count."""
    positive = segment_sums((counted & (label > 0)).to(label), segment, n_segments)
    negative = segment_sums((counted & (label <= 0)).to(label), segment, n_segments)
    return ((positive > 0) & (negative > 0)).index_select(0, segment)


def pairs_of(segment: Int[Tensor, " B"]) -> tuple[Int[Tensor, " P"], Int[Tensor, " P"]]:
    """Return every two rows of one request once; at most B * LONGEST_LIST / 2 of them.

    A request of more than LONGEST_LIST rows is taken in parts, in the order of the rows.
    """
    order = segment.argsort(stable=True)
    sizes = torch.bincount(segment)
    place = torch.arange(len(order), device=order.device)
    first = (sizes.cumsum(0) - sizes).repeat_interleave(sizes)
    within = place - first
    part_end = first + (within // LONGEST_LIST + 1) * LONGEST_LIST
    n_later = torch.minimum(part_end, first + sizes.repeat_interleave(sizes)) - place - 1
    before = (n_later.cumsum(0) - n_later).repeat_interleave(n_later)
    one = place.repeat_interleave(n_later)
    other = one + 1 + torch.arange(len(one), device=one.device) - before
    return order[one], order[other]

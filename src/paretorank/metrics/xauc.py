"""XAUC: the AUC of labels that are numbers, exact in O(n log n).

Source: Zhan et al., Deconfounding Duration Bias in Watch-time Prediction for Video Recommendation,
KDD 2022, section 5.1. Over pairs of rows with different labels; score ties count half (some
libraries count them as errors and keep pairs of equal labels, which no model can win). A pair
weighs the product of the weights of its rows.

Counting goes through the bits of the score's rank from the highest to the lowest: two rows are told
apart at the first bit in which their ranks differ, where a running sum in the order of the labels
says how many rows with a smaller rank came before.

Shapes: N rows, L distinct values.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Int
from typing_extensions import override

from paretorank.metrics.kept import RowsMetric
from paretorank.metrics.rows import Rows


class XAUC(RowsMetric):
    """Chance that of two random rows the one with the larger label has the larger score.

    NaN where all labels are equal. For 0/1 labels it is the AUC.
    """

    name: ClassVar[str] = "xauc"
    unit: ClassVar[str] = ""
    best: ClassVar[float] = 1.0
    higher_is_better: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self._pairs: PairCounts  # set by `_of_rows`

    @override
    def _of_rows(self, rows: Rows) -> float:
        self._pairs = count_pairs(rows)
        comparable = float(rows.weight @ self._pairs.comparable)
        won = float(rows.weight @ self._pairs.won)
        return won / comparable if comparable > 0.0 else math.nan

    def pairs(self) -> "PairCounts":
        """Return the pairs of each row seen so far, in the order of `rows()`."""
        self.result()
        return self._pairs

    @override
    def _why_undefined(self) -> str:
        return "all labels are equal"


@dataclass(frozen=True)
class PairCounts:
    """For each row, the weight of the other rows it forms pairs with."""

    comparable: Float[np.ndarray, " N"]
    """Rows with another label."""
    won: Float[np.ndarray, " N"]
    """Those of them that the scores put on the right side; half of a tie."""


def count_pairs(rows: Rows) -> PairCounts:
    """Return the pairs of every row, without looking at pairs one by one."""
    label_level = np.unique(rows.label, return_inverse=True)[1]
    rank = np.unique(rows.score, return_inverse=True)[1]
    cell = np.unique(label_level * (rank.max(initial=0) + 1) + rank, return_inverse=True)[1]
    same_label, same_score, same_both = (
        _weight_of_level(level, rows.weight) for level in (label_level, rank, cell)
    )
    # Among equal labels the larger score comes first, so that such a pair is never counted as won.
    by_label = np.lexsort((-rank, label_level))
    won = 0.5 * (same_score - same_both)
    won[by_label] += _ordered_pairs(rank[by_label], rows.weight[by_label])
    is_constant = label_level.max(initial=0) == 0  # the difference below would leave rounding
    comparable = np.zeros(len(rows)) if is_constant else rows.weight.sum() - same_label
    return PairCounts(comparable, won)


def _weight_of_level(
    level: Int[np.ndarray, " N"], weight: Float[np.ndarray, " N"]
) -> Float[np.ndarray, " N"]:
    """Return for each row the weight of all rows of its level."""
    return np.bincount(level, weights=weight)[level] if len(level) else np.zeros(0)


def _ordered_pairs(
    rank: Int[np.ndarray, " N"], weight: Float[np.ndarray, " N"]
) -> Float[np.ndarray, " N"]:
    """Return the weight of earlier rows with smaller rank plus later rows with larger rank."""
    pairs = np.zeros(len(rank))
    if len(rank) == 0:
        return pairs
    n_bits = int(rank.max()).bit_length()
    n_smaller = np.concatenate([[0], np.cumsum(np.bincount(rank, minlength=1 << n_bits))])
    place = np.arange(len(rank))
    at = place  # row at each place; places are sorted by the bits seen so far
    for bit in reversed(range(n_bits)):
        rank_at, weight_at = rank[at], weight[at]
        is_one = (rank_at >> bit) & 1 == 1
        prefix = rank_at >> (bit + 1) << (bit + 1)
        start, end = n_smaller[prefix], n_smaller[prefix + (2 << bit)]
        ones = _running_sum(weight_at * is_one)
        zeros = _running_sum(weight_at) - ones
        pairs[at] += np.where(is_one, zeros[:-1] - zeros[start], ones[end] - ones[:-1])
        n_ones = _running_sum(is_one)
        n_ones_before = n_ones[:-1] - n_ones[start]
        new_place = np.where(
            is_one, n_smaller[prefix + (1 << bit)] + n_ones_before, place - n_ones_before
        )
        at, moved_from = np.empty_like(at), at
        at[new_place] = moved_from
    return pairs


def _running_sum(values: np.ndarray) -> np.ndarray:
    """Return the sum of the values before each place, and of all at the end."""
    sums = np.zeros(len(values) + 1, dtype=np.result_type(values.dtype, np.int64))
    np.cumsum(values, out=sums[1:])
    return sums

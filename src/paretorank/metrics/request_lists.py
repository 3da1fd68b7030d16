"""Rows of requests laid out so that all requests of one length are ranked at once.

Requests of s rows stand side by side in a block [s, R]: comparing the i-th rows of all of them with
all others is one operation over contiguous memory. Short requests are compared pair by pair
(s² R comparisons), long ones are sorted.

Shapes: N rows, R requests (of one length in a block, else of all), s rows of a request, L rows of
the longest.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

_LONGEST_COMPARED = 40
"""Beyond that, sorting is faster than comparing all pairs."""
_COMPARED_AT_ONCE = 4_096
"""Requests whose scores and counts stay in the cache while their rows are compared."""


@dataclass(frozen=True)
class Standing:
    """How each row stands in its request, in the order of `RequestLists.order`."""

    above: Shaped[np.ndarray, " N"]
    """Rows of the request with a larger score, as whole numbers."""
    tied: Shaped[np.ndarray, " N"]
    """Rows of the request with the same score, itself included; 0 for a NaN score."""

    def places(self) -> Float[np.ndarray, " N"]:
        """Return 1 for the first of a request; ties share their mean; NaN for a NaN score."""
        places = self.above + (self.tied + 1.0) * 0.5
        places[self.tied == 0] = np.nan
        return places


class RequestLists:
    """Which rows belong together; built once, then asked about many scores.

    Rows are in the *arranged* order wherever that is said: `column[lists.order]`.
    """

    def __init__(self, request: Shaped[np.ndarray, " N"]) -> None:
        code = _codes(np.asarray(request))
        n_requests = int(code.max(initial=-1)) + 1
        length_R = np.bincount(code, minlength=n_requests)
        by_request = np.arange(len(code)) if _is_sorted(code) else np.argsort(code, kind="stable")
        first_R = np.cumsum(length_R) - length_R
        parts, self._blocks, start = [], [], 0
        for length in np.unique(length_R):
            first = first_R[length_R == length]
            parts.append((np.arange(length)[:, None] + first[None, :]).ravel())
            self._blocks.append((start, int(length), len(first)))
            start += int(length) * len(first)
        self.order: Int[np.ndarray, " N"] = by_request[np.concatenate([np.zeros(0, int), *parts])]
        """The row of the input that stands at each arranged place."""
        self.n_requests = n_requests
        self.longest = int(length_R.max(initial=0))

    def arranged(self, column: Shaped[np.ndarray, " N"]) -> Shaped[np.ndarray, " N"]:
        """Return a column of the input in the arranged order."""
        return column.take(self.order)

    def restored(self, column: Shaped[np.ndarray, " N"]) -> Shaped[np.ndarray, " N"]:
        """Return an arranged column in the order of the input."""
        restored = np.empty_like(column)
        restored[self.order] = column
        return restored

    def sums(self, arranged: Shaped[np.ndarray, " N"]) -> Float[np.ndarray, " R"]:
        """Return the sum over the rows of each request, requests in arranged order."""
        parts = [block.sum(axis=0, dtype=np.float64) for block in self._parts(arranged)]
        return np.concatenate([np.zeros(0), *parts])

    def lengths(self) -> Int[np.ndarray, " R"]:
        """Return how many rows each request has, requests in arranged order."""
        parts = [np.full(n_requests, length) for _, length, n_requests in self._blocks]
        return np.concatenate([np.zeros(0, int), *parts])

    def first_rows(self) -> Int[np.ndarray, " R"]:
        """Return the row of the input that comes first in each request, in arranged order."""
        parts = [block[0] for block in self._parts(self.order)]
        return np.concatenate([np.zeros(0, int), *parts])

    def spread(self, values: Float[np.ndarray, " R"]) -> Float[np.ndarray, " N"]:
        """Return for each arranged row what its request has."""
        spread, first = np.empty(len(self.order)), 0
        for block in self._parts(spread):
            block[...] = values[first : first + block.shape[1]]
            first += block.shape[1]
        return spread

    def standing(self, arranged: Float[np.ndarray, " N"]) -> Standing:
        """Return how each row stands by its score, the largest first; rows are arranged."""
        kind = np.uint8 if self.longest <= np.iinfo(np.uint8).max else np.int64
        above, tied = np.zeros(len(arranged), kind), np.zeros(len(arranged), kind)
        blocks = (self._parts(column) for column in (arranged, above, tied))
        for score, above_block, tied_block in zip(*blocks, strict=True):
            if len(score) <= _LONGEST_COMPARED:
                _compare(score, above_block, tied_block)
            else:
                _sort(score, above_block, tied_block)
        return Standing(above, tied)

    def _parts(self, arranged: Shaped[np.ndarray, " N"]) -> Iterator[Shaped[np.ndarray, "s R"]]:
        """Yield the blocks of a column; each is a view."""
        for start, length, n_requests in self._blocks:
            yield arranged[start : start + length * n_requests].reshape(length, n_requests)


def _codes(request: Shaped[np.ndarray, " N"]) -> Int[np.ndarray, " N"]:
    """Return numbers from 0 on for the requests."""
    if not len(request):
        return np.zeros(0, int)
    is_new = request[1:] != request[:-1]
    if bool((request[1:] >= request[:-1]).all()):
        return np.concatenate([[0], np.cumsum(is_new)])
    return np.unique(request, return_inverse=True)[1]


def _is_sorted(code: Int[np.ndarray, " N"]) -> bool:
    return bool((code[1:] >= code[:-1]).all())


def _compare(
    score: Float[np.ndarray, "s R"],
    above: Shaped[np.ndarray, "s R"],
    tied: Shaped[np.ndarray, "s R"],
) -> None:
    """Count by comparing each row with every other row of its request."""
    for start in range(0, score.shape[1], _COMPARED_AT_ONCE):
        scores = score[:, start : start + _COMPARED_AT_ONCE].copy()
        counts = np.zeros((2, *scores.shape), above.dtype)
        found = np.empty(scores.shape, bool)
        ones = found.view(np.uint8)  # adding these needs no conversion
        for row in scores:
            np.greater(row, scores, out=found)
            counts[0] += ones
            np.equal(row, scores, out=found)
            counts[1] += ones
        above[:, start : start + _COMPARED_AT_ONCE] = counts[0]
        tied[:, start : start + _COMPARED_AT_ONCE] = counts[1]


def _sort(
    score: Float[np.ndarray, "s R"],
    above: Shaped[np.ndarray, "s R"],
    tied: Shaped[np.ndarray, "s R"],
) -> None:
    """Count by sorting each request."""
    falling = -score.T
    order = falling.argsort(axis=1, kind="stable")
    falling = np.take_along_axis(falling, order, axis=1)
    is_first = np.diff(falling, axis=1, prepend=np.nan) != 0.0  # NaN differs from all
    first = np.flatnonzero(is_first)
    lengths = np.diff(first, append=falling.size)
    n_rows = falling.shape[1]
    above_sorted = np.repeat(first % n_rows, lengths).reshape(falling.shape)
    tied_sorted = np.repeat(lengths, lengths).reshape(falling.shape)
    is_nan = np.isnan(falling)
    above_sorted[is_nan], tied_sorted[is_nan] = 0, 0
    np.put_along_axis(above, order.T, above_sorted.T.astype(above.dtype), axis=0)
    np.put_along_axis(tied, order.T, tied_sorted.T.astype(tied.dtype), axis=0)

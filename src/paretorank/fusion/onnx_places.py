"""Places and ranks within requests as nodes of an ONNX graph.

Rows are sorted by value, and with several requests by request after that. Equal values then follow
each other as a run, and share the mean of their positions. NaN sorts last and gets no place.
"""

import math
from dataclasses import dataclass
from functools import cached_property

from paretorank.fusion.onnx_nodes import Nodes


@dataclass(frozen=True)
class _Sorted:
    """Rows in the order of their places; each field names a value with one entry per row."""

    values: str
    row: str
    """Where each one stands in the input."""
    runs: str
    """A number for rows of one request with one value."""
    lists: str
    """A number for rows of one request."""
    positions: str
    """From 1 on in each request."""


class Places:
    """Adds nodes that rank rows, the largest value first.

    Args:
        nodes: what they are added to.
        column: an input, for its number of rows.
        request: the input that says which rows belong together; None if all do.
    """

    def __init__(self, nodes: Nodes, column: str, request: str | None) -> None:
        self._nodes, self._column, self._request = nodes, column, request

    def spread(self, value: str) -> str:
        """Return the name of the value with one entry per row."""
        return self._nodes.add("Expand", value, self._shape)

    def place(self, operand: str) -> str:
        """Return the name of 1 for the first of a request; ties share their mean."""
        full = self.spread(operand)
        rows = self._sorted(full)
        return self._restored(self._mean_positions(rows), rows, full)

    def rank(self, operand: str) -> str:
        """Return the name of the share of the request's rows that each one is not below."""
        add, one = self._nodes.add, self._nodes.constant(1.0)
        full = self.spread(operand)
        rows = self._sorted(full)
        is_ranked = add("Greater", rows.values, self._nodes.constant(-math.inf))
        n_ranked = self._sums(self._nodes.cast(is_ranked, "float64"), rows.lists)
        not_above = add("Add", add("Sub", n_ranked, self._mean_positions(rows)), one)
        return self._restored(add("Div", not_above, add("Max", n_ranked, one)), rows, full)

    def _sorted(self, full: str) -> _Sorted:
        add = self._nodes.add
        smallest = self._nodes.constant(-math.inf)
        filled = add("Where", add("IsNaN", full), smallest, full)
        values, row = self._nodes.add_pair("TopK", filled, self._shape)
        if self._request is None:
            lists = self.spread(self._nodes.whole(0))
            return _Sorted(values, row, self._runs(self._begins(values)), lists, self._positions)
        request = add("Gather", self._request, row)
        request, order = self._nodes.add_pair("TopK", request, self._shape)  # keeps ties in order
        values, row = add("Gather", values, order), add("Gather", row, order)
        begins = self._begins(request)
        lists = self._runs(begins)
        before = add("Sub", self._first_positions(lists), self._nodes.constant(1.0))
        runs = self._runs(add("Or", begins, self._begins(values)))
        return _Sorted(values, row, runs, lists, add("Sub", self._positions, before))

    def _mean_positions(self, rows: _Sorted) -> str:
        ones = self.spread(self._nodes.constant(1.0))
        total, length = self._sums(rows.positions, rows.runs), self._sums(ones, rows.runs)
        return self._nodes.add("Div", total, length)

    def _restored(self, result: str, rows: _Sorted, full: str) -> str:
        """Return the result in the order of the input, NaN where the value is."""
        add = self._nodes.add
        restored = add("ScatterElements", self._zeros, rows.row, result)
        return add("Where", add("IsNaN", full), full, restored)

    def _begins(self, column: str) -> str:
        """Return whether a sorted column has another entry than the row before."""
        before = self._nodes.add("Gather", column, self._row_before)
        return self._nodes.add("Not", self._nodes.add("Equal", column, before))

    def _runs(self, begins: str) -> str:
        number = self._nodes.cast(begins, "int64")
        return self._nodes.add("CumSum", number, self._nodes.whole(0))

    def _sums(self, column: str, runs: str) -> str:
        """Return for each row the sum over its run."""
        sums = self._nodes.add("ScatterElements", self._zeros, runs, column, reduction="add")
        return self._nodes.add("Gather", sums, runs)

    def _first_positions(self, lists: str) -> str:
        last = self.spread(self._nodes.constant(math.inf))
        first = self._nodes.add("ScatterElements", last, lists, self._positions, reduction="min")
        return self._nodes.add("Gather", first, lists)

    @cached_property
    def _shape(self) -> str:
        return self._nodes.add("Shape", self._column)

    @cached_property
    def _zeros(self) -> str:
        return self.spread(self._nodes.constant(0.0))

    @cached_property
    def _row(self) -> str:
        whole = self._nodes.whole
        n_rows = self._nodes.add("Size", self._column)
        return self._nodes.add("Range", whole(0), n_rows, whole(1))

    @cached_property
    def _row_before(self) -> str:
        """The first row comes before itself."""
        whole = self._nodes.whole
        before = self._nodes.add("Sub", self._row, whole(1))
        return self._nodes.add("Max", before, whole(0))

    @cached_property
    def _positions(self) -> str:
        from_zero = self._nodes.cast(self._row, "float64")
        return self._nodes.add("Add", from_zero, self._nodes.constant(1.0))

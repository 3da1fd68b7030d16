"""Metrics that compare rows with each other and must therefore keep them: 24 bytes a row."""

from abc import abstractmethod
from typing import ClassVar

from typing_extensions import override

from paretorank.metrics.base import Metric
from paretorank.metrics.rows import Rows, concatenated


class RowsMetric(Metric):
    """A metric that remembers every observed row until it is asked."""

    keeps_group: ClassVar[bool] = False
    """Whether the users of the rows are kept too."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[Rows] = []
        self._result: float | None = None  # None since rows came in

    @abstractmethod
    def _of_rows(self, rows: Rows) -> float:
        """Return the metric of all rows; NaN where it is undefined."""

    @override
    def result(self) -> float:
        if self._result is None:
            self._result = self._of_rows(self.rows())
        return self._result

    def rows(self) -> Rows:
        """Return everything seen so far as one block."""
        if len(self._parts) != 1:
            self._parts = [concatenated(self._parts)]
        return self._parts[0]

    @override
    def _add(self, rows: Rows) -> None:
        if len(rows) == 0:
            return  # a block of no rows need not know its users
        self._result = None
        group = rows.group if self.keeps_group else None
        self._parts.append(Rows(rows.score, rows.label, rows.weight, group))

    @override
    def _absorb(self, other: Metric) -> None:
        if not isinstance(other, RowsMetric):
            raise ValueError("`other` must keep its rows.")  # noqa: TRY004 - as for every mismatch
        self._result = None
        self._parts.extend(part for part in other._parts if len(part) > 0)  # noqa: SLF001 - own class

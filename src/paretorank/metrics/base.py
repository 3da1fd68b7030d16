"""What every metric is: fed batch by batch, merged across readers, asked once.

Shapes: B rows of a batch.
"""

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Shaped

from paretorank.metrics.rows import Rows, observed_rows


class Metric(ABC):
    """One number about how well scores fit labels; rows that are not observed do not exist for it.

    Derive from `SumMetric` where sums over rows are enough, else from `RowsMetric`.
    """

    name: ClassVar[str]
    """What tables and configuration files call it."""
    unit: ClassVar[str]
    """Unit of the result; empty for a pure number."""
    best: ClassVar[float]
    """Result of a flawless model."""
    higher_is_better: ClassVar[bool]
    """False also for a metric whose best lies inside its range, such as PCOC."""
    needs_binary: ClassVar[bool] = False
    """Whether labels other than 0 and 1 are refused."""

    def __init__(self) -> None:
        self.n_rows = 0

    def update(
        self,
        score: Float[np.ndarray, " B"],
        label: Shaped[np.ndarray, " B"],
        *,
        weight: Shaped[np.ndarray, " B"] | None = None,
        group: Shaped[np.ndarray, " B"] | None = None,
    ) -> None:
        """Take in a batch; rows with a NaN label or weight 0 are left out.

        Args:
            score: probabilities, or expected values in the unit of the label.
            label: NaN says that the label was not observed.
            weight: how often a row counts; None is once.
            group: the user of each row, as codes or as they come.

        Raises:
            ValueError: lengths differ, or a value is impossible.
        """
        self.update_rows(observed_rows(score, label, weight=weight, group=group))

    def update_rows(self, rows: Rows) -> None:
        """Take in rows that `observed_rows` has already checked.

        Raises:
            ValueError: a label is not 0 or 1 although the metric needs it to be.
        """
        if self.needs_binary and not ((rows.label == 0.0) | (rows.label == 1.0)).all():
            wrong = rows.label[(rows.label != 0.0) & (rows.label != 1.0)][0]
            raise ValueError(f"`label` must be 0 or 1 for {self.name}, got {wrong}.")
        self._add(rows)
        self.n_rows += len(rows)

    def merge(self, other: "Metric") -> None:
        """Take over what another metric of the same class has seen.

        Raises:
            ValueError: the other one is of another class or was configured otherwise.
        """
        if type(other) is not type(self):
            raise ValueError(
                f"`other` must be a {type(self).__name__}, got {type(other).__name__}."
            )
        self._absorb(other)
        self.n_rows += other.n_rows

    @abstractmethod
    def result(self) -> float:
        """Return the metric over everything seen; NaN where it is undefined."""

    def reason(self) -> str | None:
        """Return why the result is NaN; None if it is not."""
        if self.n_rows == 0:
            return "no observed rows"
        return self._why_undefined() if math.isnan(self.result()) else None

    @classmethod
    def goodness(cls, value: float) -> float:
        """Return the value turned so that higher is better, whatever the metric."""
        return value if cls.higher_is_better else -abs(value - cls.best)

    @abstractmethod
    def _add(self, rows: Rows) -> None:
        """Take in checked rows."""

    @abstractmethod
    def _absorb(self, other: "Metric") -> None:
        """Take over the state of a metric of the same class."""

    @abstractmethod
    def _why_undefined(self) -> str:
        """Return what was missing although there were rows."""

"""Tables of a grid: means over seeds, paired differences to one cell, what a cell costs.

A difference is taken seed by seed, between two runs on the same rows in the same order; the
interval is Student's, over seeds. It says what training again would change, and nothing about
other data. Costs are medians over the runs of one process.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grid import Grid, Line, finished, read_lines
from scipy import stats

CONFIDENCE = 0.95
PER_MILLE = 1000.0
MISSING = "-"


@dataclass(frozen=True)
class Difference:
    """A mean over seeds that two cells share; `half` is NaN for fewer than two of them."""

    mean: float
    half: float
    n_seeds: int

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves 0 out."""
        return abs(self.mean) > self.half

    def __str__(self) -> str:
        """Return thousandths, with a star where 0 is left out."""
        if not self.n_seeds:
            return MISSING
        text = f"{self.mean * PER_MILLE:+.1f}"
        if math.isnan(self.half):
            return text
        return f"{text} ±{self.half * PER_MILLE:.1f}{'*' if self.is_clear else ''}"


class GridTable:
    """What the runs of a grid came to, beside those of its base cell."""

    def __init__(
        self, grid: Grid, figures: Sequence[str], base: str, *, other: str | None = None
    ) -> None:
        """Read what there is; the mean of all figures is also compared with the cell `other`."""
        self.figures = tuple(figures)
        self.base = base
        self.other = other
        self.cells = tuple(grid.cells)
        self.runs: dict[str, dict[int, Line]] = {cell: {} for cell in grid.cells}
        for (cell, seed), line in finished(grid).items():
            self.runs[cell][seed] = line
        self.errors = {
            line["cell"]: line["error"]
            for line in read_lines(grid.results)
            if "error" in line and not self.runs.get(line["cell"], True)
        }

    def values(self, cell: str, figure: str) -> dict[int, float]:
        """Return a figure by seed, where it is known."""
        found = {seed: line["metrics"].get(figure) for seed, line in self.runs[cell].items()}
        return {seed: value for seed, value in found.items() if value is not None}

    def mean_values(self, cell: str) -> dict[int, float]:
        """Return the mean of all figures by seed, where all are known."""
        columns = [self.values(cell, figure) for figure in self.figures]
        seeds = set.intersection(*map(set, columns))
        return {seed: statistics.fmean(c[seed] for c in columns) for seed in seeds}

    def difference(self, cell: str, figure: str | None = None) -> Difference:
        """Return how a cell differs from the base in a figure, or in the mean of all."""
        if figure is None:
            return paired(self.mean_values(cell), self.mean_values(self.base))
        return paired(self.values(cell, figure), self.values(self.base, figure))

    def cost(self, cell: str, name: str = "cpu_seconds") -> float:
        """Return the median over the runs of a cell; NaN if there is none."""
        found = [line[name] for line in self.runs[cell].values()]
        return statistics.median(found) if found else math.nan

    def markdown(self) -> str:
        """Return one row per cell, then the errors of cells without a run."""
        beside = [f"mean, to {self.other}"] if self.other else []
        head = ["cell", "runs", *self.figures, "mean of all", *beside, "cost", "s", "parameters"]
        lines = [_row(head), _row(["---", *["---:"] * (len(head) - 1)])]
        lines += [_row(self._cells_of_row(cell)) for cell in self.cells]
        lines += [f"\n{cell}: {error}" for cell, error in self.errors.items()]
        return "\n".join(lines)

    def cross(
        self, rows: Sequence[str], columns: Sequence[str], name: str = "{row} {column}"
    ) -> str:
        """Return the difference of the mean of all figures, by the two parts of a cell's name."""
        lines = [_row(["", *columns]), _row(["---", *["---:"] * len(columns)])]
        for row in rows:
            cells = [name.format(row=row, column=column) for column in columns]
            lines.append(_row([row, *map(self._mean_difference, cells)]))
        return "\n".join(lines)

    def _mean_difference(self, cell: str) -> str:
        if cell == self.base:
            return "base"
        return str(self.difference(cell)) if cell in self.runs else MISSING

    def _cells_of_row(self, cell: str) -> list[str]:
        runs, base = self.runs[cell], self.cost(self.base)
        if not runs:
            return [cell, "0", *[MISSING] * (len(self.figures) + 4 + bool(self.other))]
        shown = [self._figure(cell, figure) for figure in self.figures]
        mean = MISSING if cell == self.base else str(self.difference(cell))
        cost = MISSING if math.isnan(base) else f"{self.cost(cell) / base:.2f}"
        size = f"{self.cost(cell, 'parameters'):,.0f}"
        beside = self._beside(cell)
        return [cell, str(len(runs)), *shown, mean, *beside, cost, f"{self.cost(cell):.1f}", size]

    def _beside(self, cell: str) -> list[str]:
        if self.other is None:
            return []
        if cell == self.other:
            return [MISSING]
        return [str(paired(self.mean_values(cell), self.mean_values(self.other)))]

    def _figure(self, cell: str, figure: str) -> str:
        values = self.values(cell, figure)
        if not values:
            return MISSING
        mean = f"{statistics.fmean(values.values()):.4f}"
        return mean if cell == self.base else f"{mean} ({self.difference(cell, figure)})"


def paired(values: Mapping[int, float], base: Mapping[int, float]) -> Difference:
    """Return the mean difference over the seeds of both, with its interval."""
    both = sorted(values.keys() & base.keys())
    differences = [values[seed] - base[seed] for seed in both]
    n = len(both)
    mean = statistics.fmean(differences) if n else math.nan
    if n < 2:
        return Difference(mean, math.nan, n)
    quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1))
    return Difference(mean, quantile * statistics.stdev(differences) / math.sqrt(n), n)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"

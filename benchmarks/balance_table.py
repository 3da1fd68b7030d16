"""The table of `balance.py`: every ratio beside the limit that it must not exceed."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

PLAIN = "plain sum"
LIMITS = {
    "uncertainty": {2: 1.02, 4: 1.02, 8: 1.03},
    "dwa": {2: 1.02, 4: 1.02, 8: 1.03},
    "upgrad, representation": {2: 1.15, 4: 1.25, 8: 1.5},
    "upgrad, parameters": {2: 1.6, 4: 2.2, 8: 4.0},
    "gradnorm": {2: 1.2, 4: 1.3, 8: 1.5},
}
"""Seconds of a step / plain sum, by number of tasks; the first two are the loss-only ones."""
MEMORY, MEMORY_LIMIT = "peak memory", 1.5
LOOK, LOOK_LIMIT, LOOK_EVERY = "diagnosis", 1.03, 200


@dataclass(frozen=True)
class Row:
    """One ratio in every round."""

    measure: str
    name: str
    n_tasks: int
    values: Sequence[float]
    limit: float | None = None

    @property
    def median(self) -> float:
        """Return the median over rounds."""
        return statistics.median(self.values)

    @property
    def verdict(self) -> str:
        """Say whether the median keeps the limit; nothing where there is none."""
        if self.limit is None:
            return ""
        return "kept" if self.median <= self.limit else "MISSED"

    def facts(self) -> dict[str, object]:
        """Return all there is to know, for a file."""
        return {**asdict(self), "median": self.median, "verdict": self.verdict}


def time_row(name: str, n_tasks: int, values: Sequence[float]) -> Row:
    """Return the row of a balancer, or of a look at the gradients shared out over its interval."""
    if name == LOOK:
        spread = [1 + value / LOOK_EVERY for value in values]
        return Row("time", f"{LOOK}, every {LOOK_EVERY} steps", n_tasks, spread, LOOK_LIMIT)
    return Row("time", name, n_tasks, values, LIMITS.get(name, {}).get(n_tasks))


def memory_row(name: str, n_tasks: int, value: float) -> Row:
    """Return the row of the largest size of a process."""
    return Row(MEMORY, name, n_tasks, [value], MEMORY_LIMIT)


def shown(rows: Iterable[Row]) -> list[str]:
    """Return the lines of the table."""
    head = f"{'tasks':>5} {'':38} {'ratio':>6} {'lowest':>7} {'highest':>7} {'limit':>6}"
    return [head, *(_line(row) for row in rows)]


def _line(row: Row) -> str:
    name = row.name if row.measure == "time" else f"{row.measure}: {row.name}"
    limit = "" if row.limit is None else f"{row.limit:.2f}"
    low, high = min(row.values), max(row.values)
    numbers = f"{row.median:6.2f} {low:7.2f} {high:7.2f} {limit:>6}"
    return f"{row.n_tasks:5d} {name:38} {numbers} {row.verdict}".rstrip()

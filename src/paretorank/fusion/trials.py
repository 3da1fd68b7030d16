"""Weights that were tried, and what came of them.

A search makes every value large and must keep every shortfall at or below 0.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from paretorank.fusion.formula import Formula


@dataclass(frozen=True)
class Measured:
    """What some weights are worth."""

    values: tuple[float, ...]
    """Of which more is better; finite."""
    shortfalls: tuple[float, ...] = ()
    """By how much each bound is missed; 0 or less is kept. Finite."""

    @property
    def miss(self) -> float:
        """Return by how much all bounds together are missed; 0 if all are kept."""
        return sum([max(0.0, shortfall) for shortfall in self.shortfalls], start=0.0)


@dataclass(frozen=True)
class Trial:
    """Weights that were tried."""

    weights: Mapping[str, float]
    measured: Measured


Measure = Callable[[Mapping[str, float]], Measured]
"""Returns what every free weight of the formula together are worth."""


def best_first(measured: Sequence[Measured]) -> list[int]:
    """Return the places in order of the only value; what misses bounds comes last, by how much."""
    return sorted(
        range(len(measured)), key=lambda at: (measured[at].miss, -measured[at].values[0], at)
    )


def first_weights(formula: Formula) -> list[dict[str, float]]:
    """Return what is tried before a search proposes: the start, none, and each weight alone.

    None is every weight at the low end of its range; alone is one at the high end.
    """
    low = {name: formula.ranges[name].low for name in formula.weights}
    alone = [low | {name: formula.ranges[name].high} for name in formula.weights]
    wanted = [formula.start(), low, *alone]
    return [weights for at, weights in enumerate(wanted) if weights not in wanted[:at]]

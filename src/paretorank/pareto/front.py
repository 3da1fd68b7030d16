"""A front: named points, what they trade, and what a step along it costs.

Shapes: N points, K objectives.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from paretorank.pareto.dominance import non_dominated
from paretorank.pareto.hypervolume import hypervolume
from paretorank.pareto.objectives import Objective, costs_of


@dataclass(frozen=True)
class Exchange:
    """What one step along the front gains in one objective and costs in another."""

    start: str
    end: str
    gains: str
    gain: float
    costs: str
    cost: float

    @property
    def price(self) -> float:
        """Return what one unit gained costs."""
        return self.cost / self.gain


@dataclass(frozen=True)
class Front:
    """Points in the space of some objectives.

    Raises:
        ValueError: the shapes do not fit each other.
    """

    objectives: tuple[Objective, ...]
    names: tuple[str, ...]
    """Of the points."""
    values: Float[np.ndarray, "N K"]
    """As they are reported; NaN where a point has no value."""

    def __post_init__(self) -> None:
        wanted = (len(self.names), len(self.objectives))
        if self.values.shape != wanted:
            raise ValueError(f"`values` must have shape {wanted}, got {self.values.shape}.")

    @property
    def costs(self) -> Float[np.ndarray, "N K"]:
        """Return the values with the sign by which less is better."""
        return costs_of(self.values, self.objectives)

    @property
    def is_on_front(self) -> Bool[np.ndarray, " N"]:
        """Return which points no other one dominates."""
        return non_dominated(self.costs)

    def hypervolume(self, reference: Sequence[float]) -> float:
        """Return what the front covers from a reference, given in the units of the values."""
        return hypervolume(self.costs, costs_of(np.array(reference, float), self.objectives))

    def exchanges(self, gains: str, costs: str) -> list[Exchange]:
        """Return what each step of the front of two objectives gains in one and costs in the other.

        Points that another one beats in these two objectives are left out; the steps go from the
        point that is worst in `gains` to the best one.

        Raises:
            ValueError: a name is no objective.
        """
        pair = [self._index(gains), self._index(costs)]
        two = self.costs[:, pair]
        order = np.flatnonzero(non_dominated(two))
        order = order[np.argsort(-two[order, 0], kind="stable")]
        steps = []
        for start, end in itertools.pairwise(order):
            gain, cost = two[start, 0] - two[end, 0], two[end, 1] - two[start, 1]
            if gain > 0:
                names = self.names[start], self.names[end]
                steps.append(Exchange(*names, gains, float(gain), costs, float(cost)))
        return steps

    def _index(self, name: str) -> int:
        names = [objective.name for objective in self.objectives]
        if name not in names:
            raise ValueError(f"`{name}` must be one of the objectives {names}.")
        return names.index(name)

"""Which choices are beaten by none, what they cover, and which one to take."""

from paretorank.pareto.dominance import dominates, non_dominated, ranks
from paretorank.pareto.front import Exchange, Front
from paretorank.pareto.hypervolume import hypervolume, reference_point
from paretorank.pareto.lattice import simplex_lattice
from paretorank.pareto.objectives import Objective, costs_of
from paretorank.pareto.picks import (
    chebyshev,
    knee,
    least_misery,
    normalised,
    weighted_sum,
    within,
)

__all__ = [
    "Exchange",
    "Front",
    "Objective",
    "chebyshev",
    "costs_of",
    "dominates",
    "hypervolume",
    "knee",
    "least_misery",
    "non_dominated",
    "normalised",
    "ranks",
    "reference_point",
    "simplex_lattice",
    "weighted_sum",
    "within",
]

"""CMA-ES over the weights of a formula, replayed from the trials that were made.

Source: Hansen and Ostermeier, Completely Derandomized Self-Adaptation in Evolution Strategies,
Evolutionary Computation 2001; the steps are those of the package cmaes. Weights are scaled to
[0, 1]. Only the order within a generation counts, and what misses bounds comes last, in order of
how much it misses. Nothing of the state is kept: the same seed and trials lead to the same one.
"""

from typing import Final

import numpy as np
from cmaes import CMA  # type: ignore[import-untyped]

from paretorank.fusion.formula import Formula
from paretorank.fusion.trials import Measured, best_first

FIRST_STEP: Final = 0.25
"""Standard deviation of the first generation, as a share of the range."""


class CmaEs:
    """Proposes weights; every proposal must be answered by `tell` before the next one.

    Args:
        formula: has two or more free weights.
        seed: of the proposals.
    """

    def __init__(self, formula: Formula, seed: int) -> None:
        self._names = formula.weights
        ranges = [formula.ranges[name] for name in self._names]
        self._low = np.array([range_.low for range_ in ranges])
        self._width = np.array([range_.high for range_ in ranges]) - self._low
        start = (np.array([range_.start for range_ in ranges]) - self._low) / self._width
        bounds = np.tile([0.0, 1.0], (len(ranges), 1))
        self._steps = CMA(mean=start, sigma=FIRST_STEP, bounds=bounds, seed=seed)
        self._asked = start
        self._generation: list[tuple[np.ndarray, Measured]] = []

    def ask(self) -> dict[str, float]:
        """Return the next weights."""
        self._asked = self._steps.ask()
        weights = self._low + self._asked * self._width
        return {name: float(w) for name, w in zip(self._names, weights, strict=True)}

    def tell(self, measured: Measured) -> None:
        """Answer the last proposal."""
        self._generation.append((self._asked, measured))
        if len(self._generation) == self._steps.population_size:
            order = best_first([measured for _, measured in self._generation])
            points = [self._generation[at][0] for at in order]
            self._steps.tell([(point, float(place)) for place, point in enumerate(points)])
            self._generation = []

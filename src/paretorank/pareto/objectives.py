"""What is traded against what."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Objective:
    """One thing to make large or small."""

    name: str
    higher_is_better: bool = True

    @property
    def sign(self) -> float:
        """Return what turns a value into a cost, of which less is better."""
        return -1.0 if self.higher_is_better else 1.0


def costs_of(
    values: Float[np.ndarray, "*rest K"], objectives: tuple[Objective, ...]
) -> Float[np.ndarray, "*rest K"]:
    """Return values with the sign by which less is better."""
    return values * np.array([objective.sign for objective in objectives])

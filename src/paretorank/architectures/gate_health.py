"""Whether gates are in good health: which experts they use, and how surely.

Source: Wang et al., HoME: Hierarchy of Multi-Gate Experts for Multi-Task Learning at Kuaishou,
    2024 (what goes wrong with experts in practice); the thresholds are ours.
Shapes: N rows, T tasks, E experts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

DEAD_SHARE = 0.1  # an expert is dead below this share of the use under uniform gates
POLARISED_WEIGHT = 0.95  # a row whose top weight is above it has hardly a mixture
POLARISED_RATE = 0.5  # of the rows; above it the gate of a task deserves a warning


@dataclass(frozen=True)
class GateHealth:
    """How one task uses the experts that it sees."""

    task: str
    use: tuple[float, ...]
    """Mean weight of each expert; sums to 1."""
    entropy: float
    """Mean entropy of a row's weights in units of its maximum: 1 uniform, 0 a single expert."""
    dead: tuple[int, ...]
    """Experts whose use is below a tenth of what uniform gates would give them."""
    polarised_rate: float
    """Share of the rows whose top weight is above 0.95."""


@dataclass(frozen=True)
class Remedies:
    """Which settings help against gates in bad health; None where that is meant to be so."""

    dead: str | None
    polarised: str | None


def gate_health(weights: Float[np.ndarray, "N T E"], tasks: Sequence[str]) -> list[GateHealth]:
    """Return the health of each task's gate; of a single expert there is nothing to tell.

    Raises:
        ValueError: there is no row, or not one name per task.
    """
    n_rows, n_tasks, n_experts = weights.shape
    if not n_rows or n_tasks != len(tasks):
        raise ValueError(
            f"`weights` must have rows and {len(tasks)} tasks, got shape {weights.shape}."
        )
    if n_experts == 1:
        return []
    logs = np.log(weights, where=weights > 0, out=np.zeros_like(weights))
    entropy = -(weights * logs).sum(axis=2).mean(axis=0) / np.log(n_experts)
    use = weights.mean(axis=0, dtype=np.float64)
    polarised = (weights.max(axis=2) > POLARISED_WEIGHT).mean(axis=0)
    return [
        GateHealth(
            task=task,
            use=tuple(use[at].tolist()),
            entropy=float(entropy[at]),
            dead=tuple(np.flatnonzero(use[at] < DEAD_SHARE / n_experts).tolist()),
            polarised_rate=float(polarised[at]),
        )
        for at, task in enumerate(tasks)
    ]


def gate_warnings(health: Sequence[GateHealth], remedies: Remedies) -> list[str]:
    """Return what is wrong and which settings help.

    An expert that only some tasks leave alone is no fault: it may serve the others.
    """
    found = []
    dead = sorted(set.intersection(*(set(gate.dead) for gate in health))) if health else []
    if dead and remedies.dead:
        experts = ", ".join(map(str, dead))
        found.append(f"No task uses {_plural(len(dead), 'expert')} {experts}: {remedies.dead}.")
    found.extend(
        f"The gate of {gate.task!r} rests on a single expert in {gate.polarised_rate:.0%} of the "
        f"rows: {remedies.polarised}."
        for gate in health
        if gate.polarised_rate > POLARISED_RATE and remedies.polarised
    )
    return found


def _plural(count: int, word: str) -> str:
    return word if count == 1 else f"{word}s"

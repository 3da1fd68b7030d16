"""Gate weights, watched while a model is evaluated."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from paretorank.architectures import Architecture, gate_health, gate_warnings

MOST_ROWS = 20_000  # enough for the use of an expert to within a percent; more costs time


class GateWatch:
    """The gate weights of the first rows that passed through an architecture at inference."""

    def __init__(self, architecture: Architecture, tasks: Sequence[str]) -> None:
        self._architecture = architecture
        self._tasks = tasks
        self._seen: list[np.ndarray] = []

    def facts(self) -> dict[str, Any] | None:
        """Return health per task and warnings; None where no gate chooses among experts."""
        if not self._seen:
            return None
        health = gate_health(np.concatenate(self._seen), self._tasks)
        if not health:
            return None
        return {
            "tasks": {
                gate.task: {
                    "entropy": gate.entropy,
                    "polarised_rate": gate.polarised_rate,
                    "n_dead": len(gate.dead),
                    "use": {str(expert): use for expert, use in enumerate(gate.use)},
                }
                for gate in health
            },
            "warnings": gate_warnings(health, self._architecture.gate_remedies),
        }

    def look(
        self, _: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any], __: Tensor
    ) -> None:
        """Take up the weights of a forward pass."""
        if self._architecture.training or sum(map(len, self._seen)) >= MOST_ROWS:
            return
        with torch.no_grad():
            weights = self._architecture.gate_weights(*inputs, **named)
        if weights is not None:
            self._seen.append(weights.cpu().numpy())


@contextmanager
def watched_gates(architecture: Architecture, tasks: Sequence[str]) -> Iterator[GateWatch]:
    """Watch the gates of everything that is evaluated inside the block."""
    watch = GateWatch(architecture, tasks)
    hook = architecture.register_forward_hook(watch.look, with_kwargs=True)
    try:
        yield watch
    finally:
        hook.remove()

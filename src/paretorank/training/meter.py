"""Running means of what the steps of a run saw."""

import math
import time
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from paretorank.training.step import StepResult


class Meter:
    """Running means of losses and task weights since they were last read."""

    def __init__(self, names: tuple[str, ...], batch_size: int) -> None:
        self._names = names
        self._batch_size = batch_size
        self._losses: list[np.ndarray] = []
        self._weights: list[np.ndarray] = []
        self._last = (time.monotonic(), 0)
        self._steps = 0
        self._facts: dict[str, dict[str, float]] = {}

    def add(self, result: StepResult) -> None:
        """Count a step."""
        self._losses.append(result.losses.numpy())
        self._weights.append(result.weights.numpy())
        self._steps += 1

    def facts(self) -> dict[str, dict[str, float]]:
        """Return the means, and begin anew."""
        self._facts = {
            "loss": dict(zip(self._names, _means(self._losses), strict=True)),
            "task_weight": dict(zip(self._names, _means(self._weights), strict=True)),
        }
        self._losses, self._weights = [], []
        return self._facts

    def state(self) -> dict[str, Tensor]:
        """Return what has come in since the means were last read."""
        return {
            name: torch.from_numpy(np.stack(rows))
            for name, rows in (("losses", self._losses), ("weights", self._weights))
            if rows
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what `state` returned."""
        self._losses = list(tensors["losses"].numpy()) if tensors else []
        self._weights = list(tensors["weights"].numpy()) if tensors else []

    def progress(self, now: float) -> dict[str, float | str]:
        """Return what a progress bar shows."""
        then, steps = self._last
        self._last = (now, self._steps)
        rate = (self._steps - steps) * self._batch_size / max(now - then, 1e-9)
        return {"rows/s": rate, **self._facts["loss"]}


def _means(rows: list[np.ndarray]) -> list[float]:
    values = np.stack(rows)
    observed = ~np.isnan(values)
    totals = np.where(observed, values, 0.0).sum(axis=0)
    counts = observed.sum(axis=0)
    return [float(t / n) if n else math.nan for t, n in zip(totals, counts, strict=True)]

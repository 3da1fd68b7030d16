"""What a request prefers: one share per task for all rows, or columns that hold the shares.

Shapes: N rows, T tasks.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from paretorank.foundation.errors import ConfigError, DataError
from paretorank.foundation.suggestions import did_you_mean
from paretorank.model import MultiTaskRanker, preference_vector

Preferred = Mapping[str, float] | Mapping[str, str] | None
"""Task -> share, task -> column that holds its share, or None for what the model prefers."""


class RowPreferences(ABC):
    """Finds the preferences of rows."""

    columns: tuple[str, ...] = ()
    """What must be read for that."""

    @abstractmethod
    def of(self, rows: pl.DataFrame) -> Float[Tensor, "rows T"] | None:
        """Return one preference for all rows, or one per row; None is the model's default."""


@dataclass(frozen=True)
class _OneForAll(RowPreferences):
    shares: Tensor | None

    @override
    def of(self, rows: pl.DataFrame) -> Float[Tensor, "rows T"] | None:
        return None if self.shares is None else self.shares.unsqueeze(0)


class _FromColumns(RowPreferences):
    def __init__(self, columns: Mapping[str, str], task_names: Sequence[str]) -> None:
        for task in columns:
            if task not in task_names:
                raise ConfigError(
                    f"The preference must name tasks, got {task!r}.",
                    hint=did_you_mean(task, task_names),
                )
        self.columns = tuple(columns.values())
        self._named = dict(columns)
        self._task_names = task_names

    @override
    def of(self, rows: pl.DataFrame) -> Float[Tensor, "rows T"]:
        shares = np.zeros((len(rows), len(self._task_names)), np.float32)
        for task, column in self._named.items():
            shares[:, self._task_names.index(task)] = self._numbers(rows[column])
        total = shares.sum(axis=1, keepdims=True)
        wrong = np.flatnonzero(~((shares >= 0).all(axis=1) & np.isfinite(total[:, 0])))
        wrong = wrong if len(wrong) else np.flatnonzero(total[:, 0] <= 0)
        if len(wrong):
            first = zip(self._task_names, shares[wrong[0]].tolist(), strict=True)
            got = ", ".join(f"{task} = {share:g}" for task, share in first)
            raise DataError(
                f"The preference must be at least 0 for each task and above 0 for one, got "
                f"{got} in {len(wrong)} rows.",
                hint=f"Look at {', '.join(self.columns)}; an empty cell is no share.",
            )
        return torch.from_numpy(shares / total)

    def _numbers(self, column: pl.Series) -> np.ndarray:
        if not column.dtype.is_numeric():
            raise DataError(
                f"Column {column.name!r} holds {column.dtype}, which is no share of a preference.",
                hint="Give numbers of at least 0.",
            )
        return column.cast(pl.Float32).fill_null(float("nan")).to_numpy()


def preferred_by(model: MultiTaskRanker, preference: Preferred) -> RowPreferences:
    """Return how the preferences of rows are found.

    Raises:
        ConfigError: the preference is none, or the model cannot be told any.
    """
    if preference is None:
        return _OneForAll(None)
    if not model.preference.is_read:
        raise ConfigError(
            "This run cannot be told a preference: it was trained without model.preference.",
            hint='Train with model.preference.kind = "film" and balancer.kind = "preference".',
        )
    columns = {task: name for task, name in preference.items() if isinstance(name, str)}
    if columns and len(columns) < len(preference):
        raise ConfigError(
            f"A preference holds numbers or columns, got both: {dict(preference)}.",
            hint="Put the numbers into columns, too.",
        )
    if columns:
        return _FromColumns(columns, model.task_names)
    shares = {task: float(share) for task, share in preference.items()}
    if not shares:
        raise ConfigError("The preference names no task.", hint=f"Try {model.task_names[0]}=1.")
    return _OneForAll(preference_vector(shares, model.task_names, key="The preference"))

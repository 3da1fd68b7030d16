"""Which columns of a batch make which columns of the input, in which order.

Shapes: D input width.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from paretorank.data.layout import Layout
from paretorank.data.sharing import SharedColumns


@dataclass(frozen=True)
class Parts:
    """Columns of a batch whose inputs stand side by side: categorical by width, ragged, numbers."""

    categorical: Mapping[int, tuple[int, ...]]
    """Width of the embedding -> categorical columns."""
    ragged: tuple[int, ...]
    numbers: tuple[int, ...]
    """Outputs of the numbers."""
    ragged_dims: tuple[int, ...]
    number_columns: tuple[int, ...]
    """Which numeric column each output of the numbers is made of."""

    @staticmethod
    def of(
        dims: Sequence[int], ragged_dims: Sequence[int], number_columns: Sequence[int]
    ) -> "Parts":
        """Return all columns."""
        by_dim: dict[int, tuple[int, ...]] = {}
        for at, dim in enumerate(dims):
            by_dim[dim] = (*by_dim.get(dim, ()), at)
        return Parts(
            by_dim,
            tuple(range(len(ragged_dims))),
            tuple(range(len(number_columns))),
            tuple(ragged_dims),
            tuple(number_columns),
        )

    @property
    def width(self) -> int:
        """Return how many inputs they make."""
        looked_up = sum(dim * len(columns) for dim, columns in self.categorical.items())
        pooled = sum(self.ragged_dims[at] for at in self.ragged)
        return looked_up + pooled + len(self.numbers)

    def of_feature(self, layout: Layout, feature: str) -> "Parts":
        """Return those that one feature (or statistic) makes; none where there is no such one."""
        codes = {at for at, c in enumerate(layout.categorical) if c.feature == feature}
        ragged = tuple(at for at, c in enumerate(layout.ragged) if c.feature == feature)
        numeric = {at for at, c in enumerate(layout.numeric) if c.name == feature}
        if not (codes or ragged or numeric):  # several numbers: FEATURE.0, FEATURE.1, ...
            numeric = {
                at for at, c in enumerate(layout.numeric) if c.name.startswith(f"{feature}.")
            }
        return Parts(
            {
                dim: found
                for dim, group in self.categorical.items()
                if (found := _among(group, codes))
            },
            ragged,
            tuple(at for at in self.numbers if self.number_columns[at] in numeric),
            self.ragged_dims,
            self.number_columns,
        )

    def only(self, columns: SharedColumns, *, shared: bool) -> "Parts":
        """Return those that are among the shared columns, or those that are not."""
        codes, ragged, numeric = map(set, (columns.categorical, columns.ragged, columns.numeric))
        by_dim = {
            dim: tuple(at for at in group if (at in codes) == shared)
            for dim, group in self.categorical.items()
        }
        return Parts(
            {dim: group for dim, group in by_dim.items() if group},
            tuple(at for at in self.ragged if (at in ragged) == shared),
            tuple(at for at in self.numbers if (self.number_columns[at] in numeric) == shared),
            self.ragged_dims,
            self.number_columns,
        )

    def places(self, whole: "Parts") -> list[int]:
        """Return where their inputs stand among the inputs of all columns."""
        at: list[int] = []
        start = 0
        for dim, columns in whole.categorical.items():
            for place, column in enumerate(columns):
                if column in self.categorical.get(dim, ()):
                    at += range(start + place * dim, start + (place + 1) * dim)
            start += dim * len(columns)
        for column in whole.ragged:
            if column in self.ragged:
                at += range(start, start + self.ragged_dims[column])
            start += self.ragged_dims[column]
        return at + [start + number for number in self.numbers]


def _among(columns: tuple[int, ...], wanted: set[int]) -> tuple[int, ...]:
    return tuple(at for at in columns if at in wanted)


def split_parts(whole: Parts, columns: SharedColumns) -> tuple[Parts, Parts, Int[Tensor, " D"]]:
    """Return the columns of each row's own, the shared ones, and where both stand in the input."""
    own, shared = whole.only(columns, shared=False), whole.only(columns, shared=True)
    return own, shared, torch.tensor(own.places(whole) + shared.places(whole))

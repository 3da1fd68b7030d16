"""What a row gains from where it was shown, learned beside the model and left out of scores.

Source: the shallow tower of Zhao et al., Recommending What Video to Watch Next: A Multitask Ranking
    System, RecSys 2019.
We deviate: one number per task for every value of a single feature, which no other part of the
model sees. In training its mean over the rows of a batch is taken off, so that a score without it
is that of an average place, and not of an arbitrary one.
Shapes: B rows, T tasks, F categorical and M numeric columns.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from paretorank.data.batch import Batch, SharedPart
from paretorank.data.layout import Layout
from paretorank.data.sharing import SharedColumns
from paretorank.embedding.numbers import NumberInputs
from paretorank.foundation.errors import ConfigError
from paretorank.foundation.suggestions import did_you_mean


class PositionBias(nn.Module):
    """A logit per task from one feature, which starts at zero; and batches without that feature."""

    def __init__(self, layout: Layout, feature: str, *, n_tasks: int) -> None:
        super().__init__()
        codes = [column.feature for column in layout.categorical]
        numbers = [column.name for column in layout.numeric]
        refuse_unknown_position(feature, [*codes, *numbers])
        self._code = codes.index(feature) if feature in codes else None
        self._number = numbers.index(feature) if feature in numbers else None
        self.numbers = NumberInputs(() if self._number is None else (layout.numeric[self._number],))
        n_rows = self.numbers.out_dim
        if self._code is not None:
            n_rows = layout.table(layout.categorical[self._code].table).n_codes
        self.weight = nn.Parameter(torch.zeros(n_rows, n_tasks))
        self.layout = _without(layout, feature)
        """What is left for the rest of the model."""

    def forward(self, batch: Batch) -> Float[Tensor, "B T"]:
        """Return what the position adds to every logit; 0 on the average of the rows."""
        bias = self._of_position(batch)
        mass = batch.weight.sum()
        mean = (bias * batch.weight.unsqueeze(1)).sum(dim=0) / torch.where(mass > 0, mass, 1.0)
        return bias - mean

    def hide(self, batch: Batch) -> Batch:
        """Return the rows without the feature."""
        return replace(
            batch,
            codes=_others(batch.codes, self._code),
            numeric=_others(batch.numeric, self._number),
            shared=None if batch.shared is None else self._hide_shared(batch.shared),
        )

    def _of_position(self, batch: Batch) -> Float[Tensor, "B T"]:
        if self._code is not None:
            return F.embedding(batch.codes[:, self._code], self.weight)
        at = self._number or 0
        inputs: Tensor = self.numbers(batch.numeric[:, at : at + 1])
        return inputs @ self.weight

    def _hide_shared(self, part: SharedPart) -> SharedPart:
        columns = SharedColumns(
            _renumbered(part.columns.categorical, self._code),
            _renumbered(part.columns.numeric, self._number),
            part.columns.ragged,
        )
        return replace(part, columns=columns)


def refuse_unknown_position(feature: str, known: Sequence[str]) -> None:
    """Raise a ConfigError unless the feature is one of those that hold one value per row."""
    if feature not in known:
        raise ConfigError(
            f"`model.position` must be a categorical feature of one value or a numeric one, got "
            f"{feature!r}.",
            hint=did_you_mean(feature, known),
        )


def _without(layout: Layout, feature: str) -> Layout:
    """Return the layout without a feature, and without its table where nothing else uses it."""
    categorical = tuple(column for column in layout.categorical if column.feature != feature)
    used = {column.table for column in categorical} | {column.table for column in layout.ragged}
    return layout.model_copy(
        update={
            "tables": tuple(table for table in layout.tables if table.name in used),
            "categorical": categorical,
            "numeric": tuple(column for column in layout.numeric if column.name != feature),
        }
    )


def _others(columns: Tensor, hidden: int | None) -> Tensor:
    if hidden is None:
        return columns
    return torch.cat([columns[:, :hidden], columns[:, hidden + 1 :]], dim=1)


def _renumbered(columns: Sequence[int], hidden: int | None) -> tuple[int, ...]:
    if hidden is None:
        return tuple(columns)
    return tuple(at - (at > hidden) for at in columns if at != hidden)

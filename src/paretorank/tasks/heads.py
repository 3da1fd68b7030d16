"""From logits to losses and scores, for all tasks at once.

Tasks that are configured alike share one loss object, so a step costs one vectorised call per kind
of loss, whatever the number of tasks.
Shapes: B rows, T tasks, N rows of a sample.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from paretorank.losses import Loss, fill_unobserved, reduce_losses
from paretorank.tasks.task import TaskConfig


class HeadGroup(nn.Module):
    """The tasks that share a loss."""

    columns: Tensor
    """Where they stand on the task axis."""

    def __init__(self, loss: Loss, columns: Sequence[int]) -> None:
        super().__init__()
        self.loss = loss
        self.register_buffer("columns", torch.tensor(columns), persistent=False)

    def of(self, values: Float[Tensor, "B T"]) -> Float[Tensor, "B n"]:
        """Return the columns of this group."""
        return values.index_select(1, self.columns)


class Heads(nn.Module):
    """The losses and output maps of all tasks, on tensors whose last axis is the task."""

    balance_factors: Tensor
    """The factor c of uncertainty weighting per task."""
    _order: Tensor

    def __init__(self, tasks: Mapping[str, TaskConfig]) -> None:
        super().__init__()
        members: dict[tuple[str | float, ...], list[int]] = {}
        for column, task in enumerate(tasks.values()):
            members.setdefault(task.loss_key(), []).append(column)
        configs = list(tasks.values())
        self.groups = nn.ModuleList(
            HeadGroup(configs[columns[0]].build_loss(n_tasks=len(columns)), columns)
            for columns in members.values()
        )
        grouped = torch.tensor([column for columns in members.values() for column in columns])
        factors = torch.tensor([group.loss.balance_factor for group in self._each()])
        sizes = torch.tensor([len(columns) for columns in members.values()])
        self.register_buffer("_order", grouped.argsort(), persistent=False)
        self.register_buffer(
            "balance_factors", factors.repeat_interleave(sizes)[self._order], persistent=False
        )

    def losses(
        self, logits: Float[Tensor, "B T"], labels: Float[Tensor, "B T"]
    ) -> Float[Tensor, "B T"]:
        """Return the loss of every row and task; labels must be finite (see `fill_unobserved`)."""
        if len(self.groups) == 1:
            return self._only()(logits, labels)
        parts = [group.loss(group.of(logits), group.of(labels)) for group in self._each()]
        return self._joined(parts)

    def task_losses(
        self,
        logits: Float[Tensor, "B T"],
        labels: Float[Tensor, "B T"],
        observed: Bool[Tensor, "B T"],
        weight: Float[Tensor, " B"] | None = None,
    ) -> Float[Tensor, " T"]:
        """Return the mean loss of every task over its observed rows; NaN where there is none."""
        losses = self.losses(logits, fill_unobserved(labels, observed))
        return reduce_losses(losses, observed, weight)

    def scores(self, logits: Float[Tensor, "B T"]) -> Float[Tensor, "B T"]:
        """Return probabilities and expected values in the unit of each label."""
        if len(self.groups) == 1:
            return self._only().score(logits)
        return self._joined([group.loss.score(group.of(logits)) for group in self._each()])

    def init_bias(
        self, labels: Float[Tensor, "N T"], weight: Float[Tensor, " N"] | None = None
    ) -> Float[Tensor, " T"]:
        """Fit what the losses take from data; return the logits of the best constant models.

        Labels that are NaN were not observed; a task without any gets 0.
        """
        observed = ~labels.isnan()
        rows = labels.new_ones(len(labels)) if weight is None else weight
        counted = observed * rows.unsqueeze(1)
        filled = fill_unobserved(labels, observed)
        parts = []
        for group in self._each():
            label, mass = group.of(filled), group.of(counted)
            group.loss.fit_(label, mass)
            parts.append(group.loss.constant_logit(label, mass).unsqueeze(0))
        return self._joined(parts).squeeze(0)

    def _each(self) -> list[HeadGroup]:
        return [group for group in self.groups if isinstance(group, HeadGroup)]

    def _only(self) -> Loss:
        return self._each()[0].loss

    def _joined(self, parts: list[Tensor]) -> Tensor:
        return torch.cat(parts, dim=1).index_select(1, self._order)

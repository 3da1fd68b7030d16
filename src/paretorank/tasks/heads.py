"""From logits to losses and scores, for all tasks at once.

Tasks that are configured alike share one loss object, so a step costs one vectorised call per kind
of loss, whatever the number of tasks.
Shapes: B rows, T tasks, O outputs of all tasks side by side (one per task where every loss needs
one only), N rows of a sample, M numeric columns.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from paretorank.data.labels import WAITING_PREFIX
from paretorank.foundation.errors import ConfigError
from paretorank.foundation.suggestions import did_you_mean
from paretorank.losses import Loss, Requests, fill_unobserved
from paretorank.tasks.task import TaskConfig


class HeadGroup(nn.Module):
    """The tasks that share a loss."""

    columns: Tensor
    """Where they stand on the task axis."""
    outputs: Tensor
    """Where their outputs stand among those of all tasks, task by task."""

    def __init__(self, loss: Loss, columns: Sequence[int], *, reads: Sequence[int] = ()) -> None:
        super().__init__()
        self.loss = loss
        self.reads = list(reads)
        """The numeric column of each task that the loss reads beside the labels; none as a rule."""
        self.register_buffer("columns", torch.tensor(columns), persistent=False)
        self.register_buffer("outputs", torch.tensor(columns), persistent=False)

    def place(self, firsts: Sequence[int]) -> None:
        """Learn where the outputs of each task of the axis begin."""
        of_task = torch.arange(self.loss.n_outputs)
        starts = torch.tensor([firsts[column] for column in self.columns.tolist()])
        self.outputs = (starts.unsqueeze(1) + of_task).flatten()

    def of(self, values: Float[Tensor, "B T"]) -> Float[Tensor, "B n"]:
        """Return the columns of this group."""
        if len(self.columns) == values.shape[1]:  # all tasks are alike: nothing to pick
            return values
        return values.index_select(1, self.columns)

    def outputs_of(self, outputs: Float[Tensor, "B O"]) -> Float[Tensor, "B n *K"]:
        """Return the outputs of this group; with an axis of their own where there are several."""
        everything = len(self.outputs) == outputs.shape[1]
        own = outputs if everything else outputs.index_select(1, self.outputs)
        if self.loss.n_outputs == 1:
            return own
        return own.view(len(own), -1, self.loss.n_outputs)

    def losses(
        self,
        outputs: Float[Tensor, "B O"],
        labels: Float[Tensor, "B T"],
        requests: Requests | None,
        numeric: Float[Tensor, "B M"] | None,
    ) -> Float[Tensor, "B n"]:
        """Return the loss of every row for the tasks of this group."""
        own, label, loss = self.outputs_of(outputs), self.of(labels), self.given(numeric)
        if requests is None:
            alone: Tensor = loss(own, label)
            return alone
        return loss.in_requests(own, label, requests.of(self.columns))

    def given(self, numeric: Float[Tensor, "B M"] | None) -> Loss:
        """Return the loss on rows with these numeric columns."""
        return self.loss.given(self.read(numeric)) if self.reads else self.loss

    def read(self, numeric: Float[Tensor, "B M"] | None) -> Float[Tensor, "B n"]:
        """Return the numeric columns that the loss reads.

        Raises:
            ValueError: they are not given.
        """
        if numeric is None:
            raise ValueError("`numeric` must be given: a loss reads one of its columns.")
        return numeric[:, self.reads]


class Heads(nn.Module):
    """The losses and output maps of all tasks, on tensors whose last axis is the task.

    `numeric` are the encoded numeric columns of the rows; only needed if a loss reads one of them.
    """

    balance_factors: Tensor
    """The factor c of uncertainty weighting per task."""
    _order: Tensor

    def __init__(self, tasks: Mapping[str, TaskConfig], numeric: Sequence[str] = ()) -> None:
        """Build the losses; `numeric` names the numeric columns, in order."""
        super().__init__()
        members: dict[tuple[str | float, ...], list[int]] = {}
        for column, task in enumerate(tasks.values()):
            members.setdefault(task.loss_key(), []).append(column)
        configs = list(tasks.values())
        reads = [_place(_column_read(name, task), numeric) for name, task in tasks.items()]
        self.groups = nn.ModuleList(
            HeadGroup(
                configs[columns[0]].build_loss(n_tasks=len(columns)),
                columns,
                reads=[at for column in columns if (at := reads[column]) is not None],
            )
            for columns in members.values()
        )
        grouped = torch.tensor([column for columns in members.values() for column in columns])
        factors = torch.tensor([group.loss.balance_factor for group in self._each()])
        sizes = torch.tensor([len(columns) for columns in members.values()])
        self.register_buffer("_order", grouped.argsort(), persistent=False)
        self.register_buffer(
            "balance_factors", factors.repeat_interleave(sizes)[self._order], persistent=False
        )
        counts = {at: g.loss.n_outputs for g in self._each() for at in g.columns.tolist()}
        self.n_outputs = tuple(counts[at] for at in range(len(configs)))
        """Outputs of each task."""
        firsts = [sum(self.n_outputs[:at]) for at in range(len(configs))]
        for group in self._each():
            group.place(firsts)

    def losses(
        self,
        outputs: Float[Tensor, "B O"],
        labels: Float[Tensor, "B T"],
        requests: Requests | None = None,
        numeric: Float[Tensor, "B M"] | None = None,
    ) -> Float[Tensor, "B T"]:
        """Return the loss of every row and task.

        Args:
            outputs: of all tasks.
            labels: must be finite (see `fill_unobserved`).
            requests: which rows were shown together; without it, no loss compares rows.
            numeric: see above.
        """
        parts = [group.losses(outputs, labels, requests, numeric) for group in self._each()]
        return self._joined(parts)

    def waiting(
        self, numeric: Float[Tensor, "B M"], observed: Bool[Tensor, "B T"]
    ) -> Bool[Tensor, "B T"]:
        """Return which rows count beside the observed ones, as their label is still to come."""
        found = torch.zeros_like(observed)
        for group in self._each():
            if group.loss.counts_waiting:
                found[:, group.columns] = ~group.read(numeric).isnan()
        return found

    def scores(
        self, outputs: Float[Tensor, "B O"], numeric: Float[Tensor, "B M"] | None = None
    ) -> Float[Tensor, "B T"]:
        """Return probabilities and expected values in the unit of each label."""
        parts = [g.given(numeric).score(g.outputs_of(outputs)) for g in self._each()]
        return self._joined(parts)

    def init_bias(
        self,
        labels: Float[Tensor, "N T"],
        weight: Float[Tensor, " N"] | None = None,
        numeric: Float[Tensor, "N M"] | None = None,
    ) -> Float[Tensor, " O"]:
        """Fit what the losses take from data; return the outputs of the best constant models.

        Labels that are NaN were not observed; a task without any gets 0.
        """
        observed = ~labels.isnan()
        rows = labels.new_ones(len(labels)) if weight is None else weight
        counted = observed * rows.unsqueeze(1)
        filled = fill_unobserved(labels, observed)
        outputs = labels.new_zeros(sum(self.n_outputs))
        for group in self._each():
            label, mass = group.of(filled), group.of(counted)
            if group.loss.counts_waiting:
                mass = torch.where(group.read(numeric).isnan(), mass, rows.unsqueeze(1))
            loss = group.given(numeric)
            loss.fit_(label, mass)
            constant = loss.constant_logit(label, mass)
            outputs[group.outputs] = constant.flatten().to(outputs.dtype)
        return outputs

    def _each(self) -> list[HeadGroup]:
        return [group for group in self.groups if isinstance(group, HeadGroup)]

    def _joined(self, parts: list[Tensor]) -> Tensor:
        if len(parts) == 1:  # the tasks of a single group stand in order
            return parts[0]
        return torch.cat(parts, dim=1).index_select(1, self._order)


def _column_read(name: str, task: TaskConfig) -> str | None:
    """Return the name of the numeric column that the loss of a task reads."""
    return WAITING_PREFIX + name if task.waits else task.reads


def _place(feature: str | None, numeric: Sequence[str]) -> int | None:
    """Return where the feature that a loss reads stands among the numeric columns.

    Raises:
        ConfigError: it is none of them.
    """
    if feature is None:
        return None
    if feature not in numeric:
        raise ConfigError(
            f"A loss reads {feature!r}, which is no numeric feature of the data.",
            hint=did_you_mean(feature, numeric),
        )
    return numeric.index(feature)

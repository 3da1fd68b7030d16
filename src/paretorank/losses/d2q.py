"""Durations as their rank among rows whose item is about as long (D2Q).

Source: Zhan et al., Deconfounding Duration Bias in Watch-time Prediction for Video Recommendation,
    KDD 2022. Rows fall into groups of equal size by the duration of the item; one model for all of
    them regresses the quantile of the label within the group; the score is the label at that
    quantile of the row's group.
We deviate: a quantile is the sigmoid of the logit; the quantile function of a group is kept at
`N_LEVELS` levels with lines between them, from 0 on; rows whose duration is not known make use of
the quantiles of all rows. Of labels that are equal, all have the highest quantile: the share of
labels that are not above.
The score is the label at the mean quantile. That is near the median, and no mean.
Shapes: G groups, Q levels.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from typing_extensions import override

from paretorank.losses.base import RARE, Loss, weighted_mean
from paretorank.losses.quantiles import weighted_quantiles

N_LEVELS = 100
_HALVES = tuple(2**bit for bit in reversed(range(N_LEVELS.bit_length())))


class D2Q(Loss):
    """The squared error of quantiles; without durations, those of all rows alike."""

    balance_factor: ClassVar[float] = 0.5
    edges: Tensor
    """The longest items of all groups but the last, by task."""
    labels_at: Tensor
    """The label at each level from 0 to 1, by task and group; the last group is all rows."""

    def __init__(self, n_tasks: int, *, n_groups: int = 20) -> None:
        super().__init__()
        if n_groups < 1:
            raise ValueError(f"`n_groups` must be at least 1, got {n_groups}.")
        self.n_groups = n_groups
        self.register_buffer("edges", torch.arange(n_groups - 1).float().repeat(n_tasks, 1))
        seconds = torch.arange(N_LEVELS + 1).float()
        self.register_buffer("labels_at", seconds.repeat(n_tasks, n_groups + 1, 1))

    @override
    def given(self, columns: Float[Tensor, "B T"]) -> Loss:
        return _ByDuration(self, columns)

    @override
    def forward(
        self, logit: Float[Tensor, "*rows T"], label: Float[Tensor, "*rows T"]
    ) -> Float[Tensor, "*rows T"]:
        return self.row_losses(logit, label, self.everything(label))

    @override
    def score(self, logit: Float[Tensor, "*rows T"]) -> Float[Tensor, "*rows T"]:
        return self.label_at(logit.sigmoid(), self.everything(logit))

    @override
    def constant_logit(
        self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]
    ) -> Float[Tensor, " T"]:
        """Return the logit of the mean quantile."""
        return self.mean_logit(label, weight, self.everything(label))

    @override
    def fit_(self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]) -> None:
        """Take the quantiles of all labels."""
        self.fit_groups_(label, weight, torch.full_like(label, torch.nan))

    def row_losses(
        self,
        logit: Float[Tensor, "*rows T"],
        label: Float[Tensor, "*rows T"],
        group: Int[Tensor, "*rows T"],
    ) -> Float[Tensor, "*rows T"]:
        """Return the loss of rows that belong to these groups."""
        return (logit.sigmoid() - self.quantile_of(label, group).to(logit.dtype)).square()

    def mean_logit(
        self,
        label: Float[Tensor, "N T"],
        weight: Float[Tensor, "N T"],
        group: Int[Tensor, "N T"],
    ) -> Float[Tensor, " T"]:
        """Return the logit of the mean quantile of rows that belong to these groups."""
        mean = weighted_mean(self.quantile_of(label, group), weight)
        seen = weight.sum(dim=0) > 0
        return torch.where(seen, mean.clamp(RARE, 1 - RARE).logit(), 0.0).to(label.dtype)

    @torch.no_grad()
    def fit_groups_(
        self,
        label: Float[Tensor, "N T"],
        weight: Float[Tensor, "N T"],
        durations: Float[Tensor, "N T"],
    ) -> None:
        """Take groups and quantiles from rows of these durations; tasks without rows keep theirs.

        A group without rows, since many items are equally long, is like the one before it.
        """
        shares = [at / self.n_groups for at in range(1, self.n_groups)]
        levels = [at / N_LEVELS for at in range(1, N_LEVELS + 1)]
        for task, (own, mass) in enumerate(zip(label.unbind(1), weight.unbind(1), strict=True)):
            if not bool((mass > 0).any()):
                continue
            known = mass * ~durations[:, task].isnan()
            self.edges[task] = weighted_quantiles(durations[:, task], known, shares)
            group = self.group_of(durations)[:, task]
            previous = all_rows = F.pad(weighted_quantiles(own, mass, levels), (1, 0))
            for at in range(self.n_groups):
                inside = known * (group == at)
                if bool((inside > 0).any()):
                    previous = F.pad(weighted_quantiles(own, inside, levels), (1, 0))
                self.labels_at[task, at] = previous
            self.labels_at[task, self.n_groups] = all_rows

    def everything(self, values: Float[Tensor, "*rows T"]) -> Int[Tensor, "*rows T"]:
        """Return the group of all rows for each element."""
        return torch.full_like(values, self.n_groups, dtype=torch.long)

    def group_of(self, durations: Float[Tensor, "B T"]) -> Int[Tensor, "B T"]:
        """Return the group of each row; an item as long as an edge belongs to the shorter ones."""
        by_task = durations.to(self.edges.dtype).T.contiguous()
        group = torch.searchsorted(self.edges, by_task).T
        return torch.where(durations.isnan(), self.n_groups, group)

    def quantile_of(
        self, label: Float[Tensor, "*rows T"], group: Int[Tensor, "*rows T"]
    ) -> Float[Tensor, "*rows T"]:
        """Return the share of the group's labels that are not above each label."""
        level, at = torch.zeros_like(group), self._places(group)
        for half in _HALVES:  # a search among the levels of each element's own group
            further = (level + half).clamp(max=N_LEVELS)
            level = torch.where(self._labels(at, further) <= label, further, level)
        below = self._labels(at, level)
        gap = self._labels(at, (level + 1).clamp(max=N_LEVELS)) - below
        part = torch.where(gap > 0, (label - below) / torch.where(gap > 0, gap, 1.0), 0.0)
        return (level + part) / N_LEVELS

    def label_at(
        self, quantile: Float[Tensor, "*rows T"], group: Int[Tensor, "*rows T"]
    ) -> Float[Tensor, "*rows T"]:
        """Return the label of each group at these quantiles."""
        position, at = quantile * N_LEVELS, self._places(group)
        level = position.floor().long().clamp(0, N_LEVELS - 1)
        below = self._labels(at, level)
        return below + (position - level) * (self._labels(at, level + 1) - below)

    def _places(self, group: Int[Tensor, "*rows T"]) -> Int[Tensor, "*rows T"]:
        """Return where the labels of each element's group begin."""
        tasks = torch.arange(len(self.edges), device=group.device)
        return (tasks * (self.n_groups + 1) + group) * (N_LEVELS + 1)

    def _labels(
        self, at: Int[Tensor, "*rows T"], level: Int[Tensor, "*rows T"]
    ) -> Float[Tensor, "*rows T"]:
        return self.labels_at.flatten()[at + level]


class _ByDuration(Loss):
    """The same loss on rows whose items have these durations."""

    balance_factor: ClassVar[float] = D2Q.balance_factor

    def __init__(self, loss: D2Q, durations: Float[Tensor, "B T"]) -> None:
        super().__init__()
        self.loss = loss
        self.durations = durations

    @override
    def forward(
        self, logit: Float[Tensor, "B T"], label: Float[Tensor, "B T"]
    ) -> Float[Tensor, "B T"]:
        return self.loss.row_losses(logit, label, self.loss.group_of(self.durations))

    @override
    def score(self, logit: Float[Tensor, "B T"]) -> Float[Tensor, "B T"]:
        return self.loss.label_at(logit.sigmoid(), self.loss.group_of(self.durations))

    @override
    def constant_logit(
        self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]
    ) -> Float[Tensor, " T"]:
        return self.loss.mean_logit(label, weight, self.loss.group_of(self.durations))

    @override
    def fit_(self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]) -> None:
        self.loss.fit_groups_(label, weight, self.durations)

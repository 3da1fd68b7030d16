"""What every relation is: how the tasks of a graph depend on each other in training and scoring.

A relation may stand in three places, and is the identity where it has nothing to say:
between the hidden layers and the logits of the towers (`forward`), in the losses (`row_losses`),
and in the scores (`scores`).

Shapes: B rows, T tasks, H width of the towers' last hidden layer.
"""

from abc import ABC
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from paretorank.foundation.section import Section
from paretorank.losses import reduce_losses


@dataclass(frozen=True)
class Dependencies:
    """The task graph as a relation sees it; tasks are their places on the task axis."""

    parents: tuple[tuple[int, ...], ...]
    """What must happen before each task, directly."""
    is_binary: tuple[bool, ...]
    """Whether each task's score is a probability."""
    is_conditional: tuple[bool, ...]
    """Whether a task's label means something only where its parents happened (`observed_when`): its
    score is then the chance *given* the parents, else the chance on any impression."""

    @property
    def n_tasks(self) -> int:
        """The length of the task axis."""
        return len(self.parents)

    def ancestors(self, task: int) -> tuple[int, ...]:
        """Return all tasks that must happen before one, in the order of the task axis."""
        found: set[int] = set()
        waiting = list(self.parents[task])
        while waiting:
            parent = waiting.pop()
            if parent not in found:
                found.add(parent)
                waiting += self.parents[parent]
        return tuple(sorted(found))

    def topological_order(self) -> tuple[int, ...]:
        """Return all tasks, parents before children."""
        return tuple(sorted(range(self.n_tasks), key=lambda task: len(self.ancestors(task))))

    def generations(self) -> tuple["Generation", ...]:
        """Return the tasks that have parents, those that can be computed together in one group.

        The groups of all parents of a group come before it.
        """
        depth = [0] * self.n_tasks
        for task in self.topological_order():
            depth[task] = 1 + max((depth[parent] for parent in self.parents[task]), default=-1)
        groups: dict[tuple[int, int], list[int]] = {}
        for task, parents in enumerate(self.parents):
            if parents:
                groups.setdefault((depth[task], len(parents)), []).append(task)
        return tuple(
            Generation(tuple(groups[key]), tuple(self.parents[task] for task in groups[key]))
            for key in sorted(groups)
        )


@dataclass(frozen=True)
class Generation:
    """Tasks of one depth that have equally many parents."""

    tasks: tuple[int, ...]
    parents: tuple[tuple[int, ...], ...]
    """Those of each task."""

    @property
    def n_parents(self) -> int:
        """How many parents each task has."""
        return len(self.parents[0])


@dataclass(frozen=True)
class Related:
    """What the towers' hidden layers became."""

    hidden: Float[Tensor, "B T H"]
    """What the logits are made of."""
    imputed: Float[Tensor, "B T"] | None = None
    """Guessed losses of rows whose label is not observed, where a relation learns such guesses."""


@dataclass(frozen=True)
class Penalties:
    """Means over rows, added to the balanced total, outside of all balancing."""

    means: Float[Tensor, " N"]
    """0 without any row that counts."""
    masses: Float[Tensor, " N"]
    """The weight of the rows of each mean."""

    @classmethod
    def of(
        cls,
        values: Float[Tensor, "B N"],
        counted: Bool[Tensor, "B N"],
        weight: Float[Tensor, " B"],
        *,
        factor: float,
    ) -> "Penalties":
        """Return the weighted means over the rows that count, times a factor."""
        means = reduce_losses(values, counted, weight).nan_to_num(nan=0.0)
        masses = torch.where(counted, weight.unsqueeze(1), 0.0).sum(dim=0)
        return cls(factor * means, masses)


@dataclass(frozen=True)
class RowLosses:
    """The losses of every row and task, and which of them count."""

    losses: Float[Tensor, "B T"]
    """Finite everywhere; what does not count has no meaning."""
    observed: Bool[Tensor, "B T"]
    """The rows over which each task's loss is averaged; may be more than those of its label."""
    penalties: Penalties | None = None

    @property
    def auxiliary(self) -> Float[Tensor, ""] | None:
        """Return what is added to the balanced total, outside of all balancing."""
        return None if self.penalties is None else self.penalties.means.sum()


@dataclass(frozen=True)
class Seen:
    """What a relation may look at when it makes losses."""

    logits: Float[Tensor, "B T"]
    """The first output of each task."""
    labels: Float[Tensor, "B T"]
    """0 where not observed."""
    observed: Bool[Tensor, "B T"]
    weight: Float[Tensor, " B"]
    imputed: Float[Tensor, "B T"] | None = None


class Relation(nn.Module, ABC):
    """Lets tasks depend on each other along the graph."""

    is_separable: ClassVar[bool] = False
    """Whether the loss of a task still depends on that task's own tower only."""

    def __init__(self, graph: Dependencies, in_dim: int) -> None:
        super().__init__()
        self.graph = graph
        self.out_dim = in_dim
        """Width of what `forward` returns."""

    def forward(self, hidden: Float[Tensor, "B T H"]) -> Related:
        """Return what the logits are made of."""
        return Related(hidden)

    def relate_logits(self, logits: Float[Tensor, "B T"]) -> Float[Tensor, "B T"]:
        """Return the logits with what tasks tell each other about them."""
        return logits

    def row_losses(self, losses: Float[Tensor, "B T"], seen: Seen) -> RowLosses:
        """Return the losses to descend, from each task's own loss on its observed rows."""
        return RowLosses(losses, seen.observed)

    def watched(self) -> dict[str, Float[Tensor, " T"]]:
        """Return what is worth a line in the log about the last training batch, by task.

        NaN for tasks without such a number.
        """
        return {}

    def starting_labels(self, labels: Float[Tensor, "N T"]) -> Float[Tensor, "N T"]:
        """Return the labels whose rates the logits begin with; NaN is not observed."""
        return labels

    def scores(
        self, logits: Float[Tensor, "B T"], scores: Float[Tensor, "B T"]
    ) -> Float[Tensor, "B T"]:
        """Return scores that mean what their labels mean, from each task's own."""
        del logits
        return scores


class RelationSection(Section, ABC):
    """What the configurations of all relations have."""

    @property
    def replaces_losses(self) -> bool:
        """Return whether binary tasks with parents descend another loss than their own."""
        return False

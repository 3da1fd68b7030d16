"""Entire-space learning: a task after others learns the joint event on all impressions.

Source: Ma et al., Entire Space Multi-Task Model: An Effective Approach for Estimating Post-Click
    Conversion Rate, SIGIR 2018.
We deviate: any graph of binary tasks takes the place of the pair click and conversion.

The logit of a task with parents is that of its chance *given* all its ancestors. It has no loss of
its own; the cross-entropy of the event that the task and all its ancestors happen is descended
over all rows where that event is known: where an ancestor did not happen, it did not happen.
Tasks without parents, and tasks that are not binary, keep their own losses.

Shapes: B rows, T tasks.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from paretorank.relations.base import Dependencies, RelationSection, RowLosses, Seen
from paretorank.relations.entire_space import EntireSpace


class ESMMConfig(RelationSection):
    """Learn what comes after other tasks from all impressions, as a product of chances."""

    kind: Literal["esmm"] = "esmm"

    @property
    @override
    def replaces_losses(self) -> bool:
        return True

    def build(self, graph: Dependencies, *, in_dim: int, generator: torch.Generator) -> "ESMM":
        """Return the relation with initial values drawn from `generator`."""
        del generator
        return ESMM(graph, in_dim)


class ESMM(EntireSpace):
    """Learns joint events in place of the tasks that have parents."""

    def row_losses(self, losses: Float[Tensor, "B T"], seen: Seen) -> RowLosses:
        """Return the joint event's loss where it is known, for tasks with binary ancestors."""
        if not len(self.events):
            return RowLosses(losses, seen.observed)
        happened, known = self.events.labels(seen.labels, seen.observed)
        joint = self.events.losses(seen.logits, happened)
        return RowLosses(
            self.events.replace(losses, joint), self.events.replace(seen.observed, known)
        )

"""What relations have in common whose logits mean chances given the parents.

Source: Ma et al., Entire Space Multi-Task Model, SIGIR 2018.

Shapes: B rows, T tasks, N rows of a sample.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from paretorank.relations.base import Dependencies, Relation
from paretorank.relations.joint_events import JointEvents


class EntireSpace(Relation):
    """The logit of a task with binary ancestors is that of its chance given all of them."""

    _keeps_own_score: Tensor

    def __init__(self, graph: Dependencies, in_dim: int) -> None:
        super().__init__(graph, in_dim)
        self.events = JointEvents(graph)
        conditional = [graph.is_conditional[task] for task in self.events.tasks.tolist()]
        keeps = torch.tensor(conditional, dtype=torch.bool)
        self.register_buffer("_keeps_own_score", keeps, persistent=False)

    def scores(
        self, logits: Float[Tensor, "B T"], scores: Float[Tensor, "B T"]
    ) -> Float[Tensor, "B T"]:
        """Return the joint chance of tasks whose labels mean something on all impressions."""
        if not len(self.events):
            return scores
        joint = self.events.log_chance(logits).exp()
        own = torch.where(self._keeps_own_score, self.events.own(scores), joint)
        return self.events.replace(scores, own)

    def starting_labels(self, labels: Float[Tensor, "N T"]) -> Float[Tensor, "N T"]:
        """Return labels that are observed only where all ancestors happened."""
        if not len(self.events):
            return labels
        above = self.events.all_above(labels, ~labels.isnan())
        own = torch.where(above, self.events.own(labels), torch.nan)
        return self.events.replace(labels, own)

"""Parent logit: a task's logit gains a learned multiple of each parent's logit.

Source: the idea of Read et al., Classifier Chains for Multi-label Classification, ECML PKDD 2009.
We deviate: logits are handed on in place of labels, along any graph, and learned together.

logit_t = own_t + sum over parents p of w_tp logit_p, along the topological order; every w begins at
0, where the relation changes nothing.

Shapes: B rows, T tasks.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from paretorank.relations.base import Dependencies, Relation, RelationSection


class ParentLogitConfig(RelationSection):
    """Add a learned multiple of each parent's logit to a task's logit."""

    kind: Literal["parent_logit"] = "parent_logit"
    detach_parents: bool = False
    """Whether children leave their parents' logits alone in training."""

    def build(
        self, graph: Dependencies, *, in_dim: int, generator: torch.Generator
    ) -> "ParentLogit":
        """Return the relation with initial values drawn from `generator`."""
        del generator
        return ParentLogit(self, graph, in_dim)


class ParentLogit(Relation):
    """Hands logits on along the graph."""

    def __init__(self, config: ParentLogitConfig, graph: Dependencies, in_dim: int) -> None:
        super().__init__(graph, in_dim)
        self.config = config
        self._edges = [
            (task, parent) for task in graph.topological_order() for parent in graph.parents[task]
        ]
        if self._edges:
            self.weight = nn.Parameter(torch.zeros(len(self._edges)))
            """One factor per pair of child and parent, children in topological order."""

    def relate_logits(self, logits: Float[Tensor, "B T"]) -> Float[Tensor, "B T"]:
        """Return the logits with those of the parents added."""
        if not self._edges:
            return logits
        columns = list(logits.unbind(dim=1))
        for at, (task, parent) in enumerate(self._edges):
            handed = columns[parent]
            if self.config.detach_parents:
                handed = handed.detach()
            columns[task] = columns[task] + self.weight[at] * handed
        return torch.stack(columns, dim=1)

"""No relation: every task learns on its own rows and knows nothing of the others.

Source: the baseline of Ma et al., Entire Space Multi-Task Model, SIGIR 2018.
Shapes: as they come.
"""

from typing import ClassVar, Literal

import torch

from paretorank.relations.base import Dependencies, Relation, RelationSection


class UnrelatedConfig(RelationSection):
    """Every task learns on the rows where it is observed."""

    kind: Literal["none"] = "none"

    def build(self, graph: Dependencies, *, in_dim: int, generator: torch.Generator) -> "Unrelated":
        """Return the relation with initial values drawn from `generator`."""
        del generator
        return Unrelated(graph, in_dim)


class Unrelated(Relation):
    """Changes nothing."""

    is_separable: ClassVar[bool] = True

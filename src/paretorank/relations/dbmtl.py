"""Bayesian task dependency: a task's hidden layer is made of its own and those of its parents.

Source: Wang et al., Deep Bayesian Multi-Target Learning for Recommender Systems, arXiv 1902.09154.

With r the hidden layer of a task's tower, rho = MLP([r; rho of each parent]), and rho = r without
parents. The last layer of the relation's MLP is as wide as a tower's, so that all tasks fit beside
each other.

Shapes: B rows, T tasks, H width of a hidden layer.
"""

from typing import Literal, cast

import torch
from jaxtyping import Float
from pydantic import PositiveInt
from torch import Tensor, nn

from paretorank.blocks import TowerBank
from paretorank.relations.base import Dependencies, Related, Relation, RelationSection


class DBMTLConfig(RelationSection):
    """Let tasks read the hidden layers of their parents through layers of their own."""

    kind: Literal["dbmtl"] = "dbmtl"
    hidden_dims: tuple[PositiveInt, ...] = ()
    """Widths of the layers before the last one, which is as wide as the tower."""
    detach_parents: bool = False
    """Whether children leave their parents' layers alone in training."""

    def build(self, graph: Dependencies, *, in_dim: int, generator: torch.Generator) -> "DBMTL":
        """Return the relation with initial values drawn from `generator`."""
        return DBMTL(self, graph, in_dim, generator)


class DBMTL(Relation):
    """Concatenates parents' hidden layers to a task's own and computes anew."""

    def __init__(
        self, config: DBMTLConfig, graph: Dependencies, in_dim: int, generator: torch.Generator
    ) -> None:
        super().__init__(graph, in_dim)
        self.config = config
        self._generations = graph.generations()
        self.relations = nn.ModuleList(
            TowerBank(
                (1 + generation.n_parents) * in_dim,
                (*config.hidden_dims, in_dim),
                len(generation.tasks),
                generator=generator,
            )
            for generation in self._generations
        )

    def forward(self, hidden: Float[Tensor, "B T H"]) -> Related:
        """Return the hidden layers, children computed from their parents'."""
        if not self._generations:
            return Related(hidden)
        columns = list(hidden.unbind(dim=1))
        for generation, relation in zip(self._generations, self.relations, strict=True):
            inputs = [
                torch.cat([columns[task], *(self._of_parent(columns[p]) for p in parents)], dim=1)
                for task, parents in zip(generation.tasks, generation.parents, strict=True)
            ]
            computed = cast("Tensor", relation(torch.stack(inputs, dim=1)))
            for place, task in enumerate(generation.tasks):
                columns[task] = computed[:, place]
        return Related(torch.stack(columns, dim=1))

    def _of_parent(self, column: Float[Tensor, "B H"]) -> Float[Tensor, "B H"]:
        return column.detach() if self.config.detach_parents else column

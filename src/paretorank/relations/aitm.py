"""Adaptive information transfer: a task reads what its parents' towers know, as much as it helps.

Source: Xi et al., Modeling the Sequential Dependence among Audience Multi-step Conversions with
    Multi-task Learning in Targeted Display Advertising, KDD 2021.
We deviate: any graph takes the place of a chain, so that a task weighs its own information and that
of each of its parents.

With q the own hidden layer of a task and u = relu(W z + b) what a parent with hidden layer z hands
over, z = sum over v in {q, u, ...} of a_v h3(v), where a = softmax of <h1(v), h2(v)> / sqrt(H):
every piece of information scores itself. A task without parents keeps z = q.

A score should not exceed a parent's where both mean chances on any impression: the calibrator adds
`calibrator_weight` times the sum over such pairs of the mean of max(child - parent, 0) over the
rows where both are observed. Pairs with a conditional task (`observed_when`) have none: their
scores answer other questions.

Shapes: B rows, T tasks, H width of a hidden layer, G tasks computed together, U parents of each.
"""

from typing import Literal, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import NonNegativeFloat
from torch import Tensor, nn

from paretorank.blocks import uniform_parameter
from paretorank.relations.base import (
    Dependencies,
    Penalties,
    Related,
    Relation,
    RelationSection,
    RowLosses,
    Seen,
)


class AITMConfig(RelationSection):
    """Let tasks read the hidden layers of their parents through attention."""

    kind: Literal["aitm"] = "aitm"
    calibrator_weight: NonNegativeFloat = 0.6
    """Weight of what a score exceeds its parent's by; the paper's value, 0 for none."""

    def build(self, graph: Dependencies, *, in_dim: int, generator: torch.Generator) -> "AITM":
        """Return the relation with initial values drawn from `generator`."""
        return AITM(self, graph, in_dim, generator)


class AITM(Relation):
    """Transfers information from parents to children, and calibrates their scores."""

    def __init__(
        self, config: AITMConfig, graph: Dependencies, in_dim: int, generator: torch.Generator
    ) -> None:
        super().__init__(graph, in_dim)
        self.config = config
        self._generations = graph.generations()
        self.transfers = nn.ModuleList(
            _Transfer(len(generation.tasks), generation.n_parents, in_dim, generator)
            for generation in self._generations
        )
        pairs = [
            (child, parent)
            for child, parents in enumerate(graph.parents)
            for parent in parents
            if graph.is_binary[child]
            and graph.is_binary[parent]
            and not graph.is_conditional[child]
            and not graph.is_conditional[parent]
        ]
        self._children = [child for child, _ in pairs]
        self._parents = [parent for _, parent in pairs]

    def forward(self, hidden: Float[Tensor, "B T H"]) -> Related:
        """Return each task's own information mixed with that of its parents."""
        columns = list(hidden.unbind(dim=1))
        for generation, transfer in zip(self._generations, self.transfers, strict=True):
            own = torch.stack([columns[task] for task in generation.tasks], dim=1)
            handed = [torch.stack([columns[p] for p in ps], dim=1) for ps in generation.parents]
            mixed = cast("Tensor", transfer(own, torch.stack(handed, dim=1)))
            for place, task in enumerate(generation.tasks):
                columns[task] = mixed[:, place]
        return Related(torch.stack(columns, dim=1)) if len(self.transfers) else Related(hidden)

    def row_losses(self, losses: Float[Tensor, "B T"], seen: Seen) -> RowLosses:
        """Return the losses as they are, and what scores exceed those of their parents by."""
        if not self._children or not self.config.calibrator_weight:
            return RowLosses(losses, seen.observed)
        scores = seen.logits.sigmoid()
        excess = F.relu(scores[:, self._children] - scores[:, self._parents])
        both = seen.observed[:, self._children] & seen.observed[:, self._parents]
        factor = self.config.calibrator_weight
        penalties = Penalties.of(excess, both, seen.weight, factor=factor)
        return RowLosses(losses, seen.observed, penalties)


def weigh_by_own_scores(
    information: Float[Tensor, "B G V H"],
    h1: Float[Tensor, "G H H"],
    h2: Float[Tensor, "G H H"],
    h3: Float[Tensor, "G H H"],
) -> Float[Tensor, "B G H"]:
    """Return the sum of h3(v), weighted by the softmax of <h1(v), h2(v)> / sqrt(H)."""
    one, two, value = (torch.einsum("bgvh,ghk->bgvk", information, h) for h in (h1, h2, h3))
    scores = (one * two).sum(dim=3) / information.shape[3] ** 0.5
    return (scores.softmax(dim=2).unsqueeze(3) * value).sum(dim=2)


class _Transfer(nn.Module):
    """What the tasks of one generation get from their parents."""

    def __init__(self, n_tasks: int, n_parents: int, dim: int, generator: torch.Generator) -> None:
        super().__init__()

        def weight(*shape: int) -> nn.Parameter:
            return uniform_parameter(*shape, fan_in=dim, generator=generator)

        self.handed_weight = weight(n_tasks, n_parents, dim, dim)
        self.handed_bias = weight(n_tasks, n_parents, dim)
        self.h1, self.h2, self.h3 = (weight(n_tasks, dim, dim) for _ in range(3))

    def forward(
        self, own: Float[Tensor, "B G H"], parents: Float[Tensor, "B G U H"]
    ) -> Float[Tensor, "B G H"]:
        """Return the mixed information."""
        handed = torch.einsum("bguh,guhk->bguk", parents, self.handed_weight) + self.handed_bias
        information = torch.cat([own.unsqueeze(2), F.relu(handed)], dim=2)
        return weigh_by_own_scores(information, self.h1, self.h2, self.h3)

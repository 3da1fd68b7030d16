"""Durations by a binary tree of questions: longer than this? (TPM).

Source: Lin et al., Tree based Progressive Regression Model for Watch-Time Prediction in Short-video
    Recommendation, KDD 2023. The leaves are quantiles of the training labels; every inner node
    says with which chance a row goes right; the loss is the cross-entropy along the path of the
    label, and the score the mean over leaves of their mean label.
We deviate: the terms for the variance and for the regression are left out; zeros have a leaf of
their own once they are more than one leaf's share, since quantiles would repeat them.
Shapes: L = 2^depth leaves, K = L - 1 inner nodes in the order of a heap, one output each.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from typing_extensions import override

from paretorank.losses.base import RARE, Loss, weighted_mean
from paretorank.losses.quantiles import weighted_quantiles


class ProgressiveTree(Loss):
    """Cross-entropies along a path; the score mixes the mean durations of the leaves."""

    balance_factor: ClassVar[float] = 1.0
    edges: Tensor
    """The largest labels of all leaves but the last, by task."""
    leaf_means: Tensor
    """The mean label of each leaf, by task."""
    path_nodes: Tensor
    """The inner nodes on the way to each leaf."""
    path_turns: Tensor
    """Whether the way to each leaf turns right there."""

    def __init__(self, n_tasks: int, *, depth: int = 4) -> None:
        super().__init__()
        if depth < 1:
            raise ValueError(f"`depth` must be at least 1, got {depth}.")
        self.depth = depth
        n_leaves = 2**depth
        self.n_outputs = n_leaves - 1
        seconds = torch.arange(n_leaves).float().repeat(n_tasks, 1)
        self.register_buffer("edges", seconds[:, :-1].clone())
        self.register_buffer("leaf_means", seconds)
        levels, leaves = torch.arange(depth), torch.arange(n_leaves).unsqueeze(1)
        nodes = 2**levels - 1 + (leaves >> (depth - levels))
        turns = (leaves >> (depth - 1 - levels)) & 1
        self.register_buffer("path_nodes", nodes, persistent=False)
        self.register_buffer("path_turns", turns, persistent=False)

    @override
    def forward(
        self, logit: Float[Tensor, "*rows T K"], label: Float[Tensor, "*rows T"]
    ) -> Float[Tensor, "*rows T"]:
        leaf = self.leaf_of(label)
        on_path = logit.gather(-1, self.path_nodes[leaf])
        turns = self.path_turns[leaf].to(logit.dtype)
        return F.binary_cross_entropy_with_logits(on_path, turns, reduction="none").sum(dim=-1)

    @override
    def score(self, logit: Float[Tensor, "*rows T K"]) -> Float[Tensor, "*rows T"]:
        """Return the expected duration; it cannot be above the longest training label."""
        right = logit.sigmoid()
        chance = torch.ones_like(right[..., :1])
        for level in range(self.depth):
            turn = right[..., 2**level - 1 : 2 ** (level + 1) - 1]
            chance = torch.stack([chance * (1 - turn), chance * turn], dim=-1).flatten(-2)
        return (chance * self.leaf_means).sum(dim=-1)

    @override
    def constant_logit(
        self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]
    ) -> Float[Tensor, "T K"]:
        """Return the share of rows that turn right among those that come to each node."""
        mass = self._leaf_mass(label, weight)
        logits = []
        for level in range(self.depth):
            sides = mass.view(len(mass), 2**level, 2, -1).sum(dim=-1)
            total = sides.sum(dim=-1)
            share = torch.where(total > 0, sides[..., 1] / total.clamp(min=RARE), 0.5)
            logits.append(share.clamp(RARE, 1 - RARE).logit())
        return torch.cat(logits, dim=1).to(label.dtype)

    @override
    @torch.no_grad()
    def fit_(self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]) -> None:
        """Take the leaves from the labels; tasks without any keep theirs."""
        for task, (own, mass) in enumerate(zip(label.unbind(1), weight.unbind(1), strict=True)):
            if bool((mass > 0).any()):
                self.edges[task] = self._edges(own, mass)
        leaf = self.leaf_of(label)
        # A leaf without rows has the mean of its lower edge, so that means never fall.
        means = F.pad(self.edges, (1, 0))
        for at in range(2**self.depth):
            inside = weight * (leaf == at)
            found = weighted_mean(label, inside).to(means.dtype)
            means[:, at] = torch.where(inside.sum(dim=0) > 0, found, means[:, at])
        seen = (weight.sum(dim=0) > 0).unsqueeze(1)
        self.leaf_means.copy_(torch.where(seen, means, self.leaf_means))

    def leaf_of(self, label: Float[Tensor, "*rows T"]) -> Int[Tensor, "*rows T"]:
        """Return the leaf of each label, from the left; a label on an edge belongs left of it."""
        by_task = label.movedim(-1, 0).flatten(1).contiguous().to(self.edges.dtype)
        leaves = torch.searchsorted(self.edges, by_task)
        return leaves.view(label.shape[-1], *label.shape[:-1]).movedim(0, -1)

    def _edges(self, label: Float[Tensor, " N"], weight: Float[Tensor, " N"]) -> Tensor:
        n_leaves = 2**self.depth
        zeros = float(weight[label <= 0].sum() / weight.sum())
        if n_leaves > 2 and 1 / n_leaves < zeros < 1:  # noqa: PLR2004 - two have one edge only
            levels = [at / (n_leaves - 1) for at in range(1, n_leaves - 1)]
            return F.pad(weighted_quantiles(label, weight * (label > 0), levels), (1, 0))
        return weighted_quantiles(label, weight, [at / n_leaves for at in range(1, n_leaves)])

    def _leaf_mass(
        self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]
    ) -> Float[Tensor, "T leaves"]:
        leaf, weight = self.leaf_of(label), weight.double()
        inside = [(weight * (leaf == at)).sum(dim=0) for at in range(2**self.depth)]
        return torch.stack(inside, dim=1)

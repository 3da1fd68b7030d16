"""DB-MTL: logarithms of losses, and gradients as long as the longest of them.

Source: Lin et al., Dual-Balancing for Multi-Task Learning, arXiv 2308.12029, 2023, sections 3.1 and
    3.2.
We deviate: gradients are not averaged over steps, and their sum is divided by the number of tasks.
Shapes: P present tasks.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from paretorank.balancing.base import BalancedTasks
from paretorank.balancing.gradient_balancer import (
    GramianBalancer,
    PeriodicSection,
    SeenGradients,
)
from paretorank.foundation.errors import TrainingError


class DBMTLConfig(PeriodicSection):
    """Hyper-parameters of DB-MTL."""

    kind: Literal["db_mtl"] = "db_mtl"

    @override
    def make(self, tasks: BalancedTasks) -> "DBMTL":
        return DBMTL(tasks.names, at=self.at, every_steps=self.every_steps)


class DBMTL(GramianBalancer):
    """Gives all gradients the length of the longest gradient of a log loss."""

    @override
    def weigh(self, seen: SeenGradients) -> Float[Tensor, " P"]:
        if not bool((seen.losses > 0).all()):
            raise TrainingError(
                f"DB-MTL needs losses above 0, got {seen.losses.tolist()}.",
                hint='balancer.kind = "metabalance" takes losses of any sign.',
            )
        lengths = seen.gramian.diagonal().sqrt() / seen.losses
        return as_long_as_longest(lengths) / seen.losses / len(lengths)


def as_long_as_longest(lengths: Float[Tensor, " P"]) -> Float[Tensor, " P"]:
    """Return the factors that make all gradients as long as the longest; 1 for zero gradients."""
    is_zero = lengths == 0
    return torch.where(is_zero, 1.0, lengths.max() / torch.where(is_zero, 1.0, lengths))

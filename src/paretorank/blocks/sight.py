"""Gates that see some of the experts only.

Weights of experts out of sight are exactly zero, so that one product mixes for all gates, and no
gradient passes.
Shapes: B rows, G gates, E experts, V experts in sight of a gate.
"""

import math

from jaxtyping import Float, Int
from torch import Tensor


def spread_logits(
    logits: Float[Tensor, "B G V"], seen: Int[Tensor, "G V"], n_experts: int
) -> Float[Tensor, "B G E"]:
    """Return logits over all experts: minus infinity out of sight."""
    return _spread(logits, seen, n_experts, -math.inf)


def spread_weights(
    weights: Float[Tensor, "B G V"], seen: Int[Tensor, "G V"], n_experts: int
) -> Float[Tensor, "B G E"]:
    """Return weights over all experts: zero out of sight."""
    return _spread(weights, seen, n_experts, 0.0)


def weights_in_sight(
    weights: Float[Tensor, "B G E"], seen: Int[Tensor, "G V"]
) -> Float[Tensor, "B G V"]:
    """Return the weights of the experts that each gate sees."""
    return weights.gather(2, seen.expand(len(weights), -1, -1))


def _spread(values: Tensor, seen: Tensor, n_experts: int, fill: float) -> Tensor:
    everywhere = values.new_full((*values.shape[:2], n_experts), fill)
    return everywhere.scatter(2, seen.expand(len(values), -1, -1), values)

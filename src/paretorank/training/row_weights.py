"""How the weights of a balancer that weighs row by row are spread over the rows.

Shapes: B rows, T tasks.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor

from paretorank.balancing import Balancer, RowBalancer

QUANTILES = {"q05": 0.05, "q50": 0.5, "q95": 0.95}


def row_weight_facts(balancer: Balancer) -> Mapping[str, Any] | None:
    """Return how the last step's weights of each task are spread, over all rows and by segment.

    None for balancers that do not weigh rows; a task without an observed row is left out.
    """
    if not isinstance(balancer, RowBalancer) or balancer.last_weights is None:
        return None
    names, weights = balancer.task_names, balancer.last_weights.double()
    facts: dict[str, Any] = {"tasks": _spread(names, weights)}
    if balancer.segments is not None and balancer.last_codes is not None:
        facts["segments"] = {
            name: {"rows": int(mask.sum()), "tasks": _spread(names, weights[mask])}
            for name, mask in balancer.segments.masks(balancer.last_codes).items()
        }
    return facts


def _spread(
    names: Sequence[str], weights: Float[Tensor, "B T"]
) -> Mapping[str, Mapping[str, float]]:
    """Return mean, standard deviation and quantiles of each task."""
    facts: dict[str, Mapping[str, float]] = {}
    for name, column in zip(names, weights.T, strict=True):
        known = column[~column.isnan()]
        if len(known):
            facts[name] = {
                "mean": float(known.mean()),
                "std": float(known.std(correction=0)),
                **{key: float(known.quantile(at)) for key, at in QUANTILES.items()},
            }
    return facts

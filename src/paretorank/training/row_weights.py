"""How the weights of a balancer that weighs row by row are spread over the rows."""

from collections.abc import Mapping

from paretorank.balancing import Balancer, RowBalancer

QUANTILES = {"q05": 0.05, "q50": 0.5, "q95": 0.95}


def row_weight_facts(balancer: Balancer) -> Mapping[str, Mapping[str, float]] | None:
    """Return mean, standard deviation and quantiles of the last step's weights of each task.

    None for balancers that do not weigh rows; a task without an observed row is left out.
    """
    if not isinstance(balancer, RowBalancer) or balancer.last_weights is None:
        return None
    facts: dict[str, Mapping[str, float]] = {}
    for name, column in zip(balancer.task_names, balancer.last_weights.double().T, strict=True):
        known = column[~column.isnan()]
        if len(known):
            facts[name] = {
                "mean": float(known.mean()),
                "std": float(known.std(correction=0)),
                **{key: float(known.quantile(at)) for key, at in QUANTILES.items()},
            }
    return facts

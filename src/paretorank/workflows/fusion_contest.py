"""The search itself: which formulas compete on the validation rows, and which one wins.

Shapes: N points, K metrics to maximise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from jaxtyping import Float

from paretorank.evaluation import ListMetric
from paretorank.fusion import Formula
from paretorank.fusion.trials import Measured, best_first
from paretorank.pareto import Front, Objective, knee, least_misery, non_dominated
from paretorank.workflows.fusion_request import Pick, Wishes
from paretorank.workflows.fusion_rows import FusionRows

BASELINE: Final = "baseline"
SHOWN_POINTS: Final = 10
"""Points of a front that are measured on the test rows."""


@dataclass(frozen=True)
class Rival:
    """A formula that was measured on the validation rows."""

    name: str
    formula: Formula
    """Without free weights."""
    measured: Measured
    weights: Mapping[str, float] = field(default_factory=dict)


class Scale:
    """Measures scores of the validation rows by the wishes, relative to the baseline."""

    def __init__(self, rows: FusionRows, wishes: Wishes, baseline: Formula) -> None:
        self._rows, self._wishes = rows, wishes
        self._measure = rows.measure(wishes.searched)
        self.today = self.metrics(rows.fused(baseline)())

    def metrics(self, score: Float[np.ndarray, " rows"]) -> dict[ListMetric, float]:
        """Return what has to be known of a score."""
        values = self._measure.values(score)
        return dict(zip(self._wishes.searched, values.tolist(), strict=True))

    def measured(self, metrics: Mapping[ListMetric, float]) -> Measured:
        """Return the same as values to make large, and bounds to keep."""
        return Measured(
            tuple(metrics[metric] for metric in self._wishes.maximise),
            tuple(
                bound.shortfall(metrics[bound.metric], self.today[bound.metric])
                for bound in self._wishes.bounds
            ),
        )

    def rival(self, name: str, formula: Formula) -> Rival:
        """Measure a formula without free weights."""
        return Rival(name, formula, self.measured(self.metrics(self._rows.fused(formula)())))

    def named(self, formula: Formula) -> dict[str, float]:
        """Return the metrics of a formula by their names."""
        metrics = self.metrics(self._rows.fused(formula)())
        return {str(metric): value for metric, value in metrics.items()}


def front_of(rivals: Sequence[Rival], wishes: Wishes) -> list[int]:
    """Return the rivals that keep all bounds and are beaten by none, in order of the first metric.

    Of several with the same values, the first one.
    """
    kept = [at for at, rival in enumerate(rivals) if rival.measured.miss == 0.0]
    if len(wishes.maximise) == 1 or not kept:
        return []
    costs = -_values(rivals, kept)
    first = np.sort(np.unique(costs, axis=0, return_index=True)[1])
    on_front = [kept[at] for at in first[non_dominated(costs[first])]]
    return sorted(on_front, key=lambda at: -rivals[at].measured.values[0])


def choose(
    rivals: Sequence[Rival], wishes: Wishes, front: Sequence[int], pick: Pick
) -> tuple[int, str]:
    """Return the rival to take, and why."""
    order = best_first([rival.measured for rival in rivals])
    names = " and ".join(str(metric) for metric in wishes.maximise)
    kept = "that keep all bounds, " if wishes.bounds else ""
    if rivals[order[0]].measured.miss > 0.0:
        return order[0], (
            "no weights keep all bounds on the validation rows; taken are those that miss them by "
            "the smallest share"
        )
    if len(wishes.maximise) == 1:
        return order[0], f"of all weights tried {kept}the largest {names} on the validation rows"
    costs = -_values(rivals, front)
    found = knee(costs) if pick == "knee" else None
    if found is not None:
        return front[found], f"of the front of {names} {kept}the knee, on the validation rows"
    found = least_misery(costs)
    how = "the smallest worst normalised loss (least misery)"
    if pick == "knee":
        how += ", as it has no knee"
    return front[found or 0], f"of the front of {names} {kept}{how}, on the validation rows"


def shown_points(front: Sequence[int], chosen: int) -> list[int]:
    """Return points spread over the front, its ends and the chosen one among them."""
    if len(front) <= SHOWN_POINTS:
        return list(front)
    even = np.linspace(0, len(front) - 1, SHOWN_POINTS - 1).round().astype(int)
    return [at for place, at in enumerate(front) if place in even or at == chosen]


def as_front(rivals: Sequence[Rival], points: Sequence[int], wishes: Wishes) -> Front:
    """Return rivals as a front of the metrics to maximise."""
    objectives = tuple(Objective(str(metric)) for metric in wishes.maximise)
    names = tuple(rivals[at].name for at in points)
    return Front(objectives, names, _values(rivals, points))


def _values(rivals: Sequence[Rival], points: Sequence[int]) -> Float[np.ndarray, "N K"]:
    return np.array([rivals[at].measured.values for at in points], np.float64)

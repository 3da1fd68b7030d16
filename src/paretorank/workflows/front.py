"""What a front of scored models says: who is on it, what it covers, which to take, what steps cost.

Sources: those of `pareto`; the interval is shifted by its resampling bias, as noise in the points
    can only make a front look larger.
Shapes: N points, K objectives, R resamples.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from paretorank.evaluation import Interval, Measured, ScoredRows, TaskMetric, measure
from paretorank.foundation.errors import ConfigError
from paretorank.foundation.seeds import named_generator
from paretorank.foundation.suggestions import did_you_mean
from paretorank.pareto import (
    Exchange,
    Front,
    Objective,
    chebyshev,
    costs_of,
    hypervolume,
    knee,
    least_misery,
    non_dominated,
    reference_point,
    within,
)


@dataclass(frozen=True)
class FrontOptions:
    """What is asked of a front."""

    objectives: tuple[str, ...] = ()
    """Such as "click.auc"; the main metric of every task if empty."""
    reference: Mapping[str, float] | None = None
    """Where the hypervolume begins, by objective; a tenth of the range beyond the worst of each."""
    at_least: Mapping[str, float] | None = None
    """Objective -> what a pick must reach: at least, or at most where less is better."""
    is_raw: bool = False
    """Whether scores are taken as the models give them, also where a run is calibrated."""
    n_resamples: int = 200
    confidence: float = 0.95
    seed: int = 1


@dataclass(frozen=True)
class Point:
    """One model, or one setting of a model."""

    name: str
    setting: Mapping[str, float]
    """Its preference or its bounds by task; empty where there is none."""
    scored: ScoredRows
    is_calibrated: bool = False


@dataclass(frozen=True)
class FrontReport:
    """A front and what follows from it."""

    front: Front
    settings: tuple[Mapping[str, float], ...]
    on_front_share: Float[np.ndarray, " N"]
    """Share of resamples of users in which a point is on the front; NaN without resamples."""
    reference: tuple[float, ...]
    """In the units of the objectives."""
    hypervolume: float
    interval: Interval
    picks: Mapping[str, str | None]
    """Rule -> name of the point; None where the rule finds none."""
    exchanges: tuple[Exchange, ...]
    calibrated: tuple[str, ...] = ()
    """Points whose scores are calibrated; those of the others are as the models give them."""

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        names = [objective.name for objective in self.front.objectives]
        rows = zip(
            self.front.names,
            self.settings,
            self.front.values.tolist(),
            self.front.is_on_front.tolist(),
            self.on_front_share.tolist(),
            strict=True,
        )
        return {
            "calibrated": list(self.calibrated),
            "objectives": [vars(objective) for objective in self.front.objectives],
            "points": [
                {
                    "name": name,
                    "setting": dict(setting),
                    "values": dict(zip(names, values, strict=True)),
                    "on_front": is_on_front,
                    "on_front_share": share,
                }
                for name, setting, values, is_on_front, share in rows
            ],
            "hypervolume": {
                "reference": dict(zip(names, self.reference, strict=True)),
                "value": self.hypervolume,
                "low": self.interval.low,
                "high": self.interval.high,
            },
            "picks": dict(self.picks),
            "exchanges": [{**vars(step), "price": step.price} for step in self.exchanges],
        }


def report_front(
    points: Sequence[Point], wanted: Sequence[TaskMetric], options: FrontOptions
) -> FrontReport:
    """Measure points that have scored the same rows, and say what their front is like.

    Raises:
        ConfigError: an option names what is no objective, or there are fewer than two.
    """
    objectives = tuple(Objective(one.name, one.metric.higher_is_better) for one in wanted)
    if len(objectives) < 2:  # noqa: PLR2004 - one objective has a best point and no front
        raise ConfigError(
            "A front needs two objectives at least.", hint="Name another one with --objective."
        )
    _refuse_unknown(options, [objective.name for objective in objectives])
    measured = measure(
        [point.scored for point in points],
        wanted,
        n_resamples=options.n_resamples,
        generator=named_generator(options.seed, "front"),
    )
    front = Front(objectives, tuple(point.name for point in points), measured.values)
    signs = np.array([objective.sign for objective in objectives])
    reference = reference_point(front.costs)
    for name, value in (options.reference or {}).items():
        at = [objective.name for objective in objectives].index(name)
        reference[at] = signs[at] * value
    covered = hypervolume(front.costs, reference)
    pairs = itertools.combinations([objective.name for objective in objectives], 2)
    return FrontReport(
        front,
        tuple(point.setting for point in points),
        _on_front_share(measured, objectives),
        tuple((signs * reference).tolist()),
        covered,
        _interval(measured, objectives, reference, covered, options.confidence),
        _picks(front, options.at_least or {}),
        tuple(step for gains, costs in pairs for step in front.exchanges(gains, costs)),
        tuple(point.name for point in points if point.is_calibrated),
    )


def _refuse_unknown(options: FrontOptions, names: Sequence[str]) -> None:
    for option, given in (("--reference", options.reference), ("--at-least", options.at_least)):
        for name in given or {}:
            if name not in names:
                raise ConfigError(
                    f"{option} must name objectives, got {name!r}.", hint=did_you_mean(name, names)
                )


def _on_front_share(
    measured: Measured, objectives: tuple[Objective, ...]
) -> Float[np.ndarray, " N"]:
    if not len(measured.draws):
        return np.full(len(measured.values), np.nan)
    drawn = [non_dominated(costs_of(draw, objectives)) for draw in measured.draws]
    return np.mean(drawn, axis=0)


def _interval(
    measured: Measured,
    objectives: tuple[Objective, ...],
    reference: Float[np.ndarray, " K"],
    covered: float,
    confidence: float,
) -> Interval:
    if not len(measured.draws):
        return Interval()
    drawn = [hypervolume(costs_of(draw, objectives), reference) for draw in measured.draws]
    tail = 0.5 * (1.0 - confidence)
    bias = float(np.mean(drawn)) - covered
    low, high = (max(0.0, float(end) - bias) for end in np.quantile(drawn, [tail, 1.0 - tail]))
    return Interval(low, high)


def _picks(front: Front, at_least: Mapping[str, float]) -> dict[str, str | None]:
    costs, names = front.costs, [objective.name for objective in front.objectives]
    even = np.full(len(names), 1.0 / len(names))
    found = {
        "least misery": least_misery(costs),
        "chebyshev, even": chebyshev(costs, even),
        "knee": knee(costs),
    }
    if at_least:
        free = next((at for at, name in enumerate(names) if name not in at_least), 0)
        bounds = {
            names.index(name): front.objectives[names.index(name)].sign * value
            for name, value in at_least.items()
        }
        kept = ", ".join(
            f"{name} {'>=' if front.objectives[names.index(name)].higher_is_better else '<='} "
            f"{value:g}"
            for name, value in at_least.items()
        )
        found[f"best {names[free]} with {kept}"] = within(costs, free, bounds)
    return {rule: None if at is None else front.names[at] for rule, at in found.items()}

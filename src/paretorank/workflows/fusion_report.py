"""From what was measured on the validation rows to a result that is confirmed on the test rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from paretorank.config import RunConfig
from paretorank.evaluation import Interval, PairedLists
from paretorank.fusion import Formula
from paretorank.pareto import Exchange
from paretorank.workflows.fusion_contest import (
    Rival,
    Scale,
    as_front,
    choose,
    front_of,
    shown_points,
)
from paretorank.workflows.fusion_request import FuseRequest, Wishes
from paretorank.workflows.fusion_result import Comparison, Fusion, Point, Status
from paretorank.workflows.fusion_rows import FusionRows


@dataclass(frozen=True)
class Splits:
    """Where weights are searched, and where they are confirmed."""

    valid: FusionRows
    test: FusionRows
    lists: str
    """Column whose rows are sorted together."""
    clusters: str
    """Column of what is drawn for intervals."""
    calibration: str = ""
    """Digest of the calibration that the scores went through; empty for none."""
    weights: str = ""
    """Digest of the weights that gave the scores."""


@dataclass(frozen=True)
class Hunt:
    """A search with everything that belongs to it."""

    request: FuseRequest
    config: RunConfig
    wishes: Wishes
    splits: Splits
    free: Formula
    scale: Scale
    settings: Mapping[str, Any]


def report_of(hunt: Hunt, rivals: Sequence[Rival]) -> Fusion:
    """Return the result of a search; the first rival is the baseline."""
    wishes, splits = hunt.wishes, hunt.splits
    front = front_of(rivals, wishes)
    chosen, rule = choose(rivals, wishes, front, hunt.request.pick)
    fixed = [at for at, rival in enumerate(rivals) if not rival.weights or rival.name == "start"]
    shown = list(dict.fromkeys([*fixed, *shown_points(front, chosen), chosen]))
    tested = _tested(hunt, [rivals[at] for at in shown])
    points = [
        Point(
            rivals[at].name,
            str(rivals[at].formula),
            dict(rivals[at].weights),
            hunt.scale.named(rivals[at].formula),
            comparisons,
            bounds,
            at in front,
        )
        for at, (comparisons, bounds) in zip(shown, tested, strict=True)
    ]
    trials = [rival for rival in rivals if rival.weights]
    return Fusion(
        points=tuple(points),
        chosen=rivals[chosen].name,
        rule=rule,
        free_formula=str(hunt.free),
        lists=splits.lists,
        clusters=splits.clusters,
        confidence=hunt.config.evaluation.confidence,
        counts={"valid": splits.valid.counts(), "test": splits.test.counts()},
        n_trials=len(trials),
        n_kept=sum(rival.measured.miss == 0.0 for rival in trials),
        n_front=len(front),
        hypervolume=_hypervolume(rivals, front, wishes),
        exchanges=_exchanges(rivals, [at for at in shown if at in front], wishes),
        settings=hunt.settings,
    )


def _hypervolume(rivals: Sequence[Rival], front: Sequence[int], wishes: Wishes) -> float | None:
    """Return what the front covers from the baseline on."""
    if len(wishes.maximise) == 1:
        return None
    if not front:
        return 0.0
    return as_front(rivals, front, wishes).hypervolume(rivals[0].measured.values)


def _exchanges(
    rivals: Sequence[Rival], points: Sequence[int], wishes: Wishes
) -> tuple[Exchange, ...]:
    """Return what the steps between points cost, for every pair of metrics."""
    if not points:
        return ()
    front = as_front(rivals, points, wishes)
    names = [str(metric) for metric in wishes.maximise]
    pairs = [(gains, costs) for at, gains in enumerate(names) for costs in names[at + 1 :]]
    return tuple(step for gains, costs in pairs for step in front.exchanges(gains, costs))


def _tested(
    hunt: Hunt, rivals: Sequence[Rival]
) -> list[tuple[tuple[Comparison, ...], dict[str, Status]]]:
    """Measure points on the test rows; the first one is the baseline."""
    rows, wishes, evaluation = hunt.splits.test, hunt.wishes, hunt.config.evaluation
    n_resamples = hunt.request.n_resamples
    paired = PairedLists(
        rows.measure(wishes.reported),
        [rows.fused(rival.formula)() for rival in rivals],
        rows.cluster,
        n_resamples=evaluation.n_resamples if n_resamples is None else n_resamples,
        confidence=evaluation.confidence,
        generator=np.random.default_rng(hunt.request.seed),
    )
    return [(_compared(paired, at, wishes), _kept(paired, at, wishes)) for at in range(len(rivals))]


def _compared(paired: PairedLists, at: int, wishes: Wishes) -> tuple[Comparison, ...]:
    return tuple(
        Comparison(str(metric), float(paired.values[at, m]), *paired.difference(at, m))
        for m, metric in enumerate(wishes.reported)
    )


def _kept(paired: PairedLists, at: int, wishes: Wishes) -> dict[str, Status]:
    found = {}
    for bound in wishes.bounds:
        m = wishes.reported.index(bound.metric)
        if bound.is_relative:
            share = 1.0 + bound.amount * float(np.sign(paired.values[0, m]))
            excess = paired.difference(at, m, share=share)
        else:
            excess = paired.excess(at, m, bound.amount)
        found[str(bound)] = _status(*excess)
    return found


def _status(excess: float, interval: Interval) -> Status:
    if excess >= 0.0:
        return "kept with confidence" if interval.low >= 0.0 else "kept, within the noise"
    return "missed"

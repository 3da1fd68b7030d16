"""Fits the calibration of all tasks of a run on scored rows.

Shapes: N rows, T tasks.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from paretorank.calibration import (
    Calibration,
    FittedMaps,
    IdentityMap,
    Method,
    TaskCalibration,
    fit_maps,
)
from paretorank.config import RunConfig
from paretorank.evaluation import ScoredRows
from paretorank.evaluation.segments import MAX_SEGMENTS
from paretorank.evaluation.views import joint_label, joint_score
from paretorank.foundation.errors import DataError
from paretorank.foundation.seeds import named_generator
from paretorank.metrics import Rows, observed_rows
from paretorank.schema import LabelSpec
from paretorank.tasks import RegressionTask, TaskGraph
from paretorank.workflows.predict import segment_texts
from paretorank.workflows.scored_log import ScoredLog


@dataclass(frozen=True)
class CalibrationWish:
    """What a calibration should look like."""

    method: Method = "auto"
    """One that does not suit a task, such as platt for seconds, counts as "auto" there."""
    segment: str | None = None
    """Column whose values get maps of their own."""
    keep_rates: Mapping[str, float] = field(default_factory=dict)
    """Chance with which rows with label 0 were kept in the log, by task."""
    by: str | None = None
    """Column by whose values the report is sliced."""
    by_activity: bool = False
    """Whether the report is sliced by tenths of the users, the least active first."""
    preference: Mapping[str, float] | None = None
    """What the model is told to prefer; its default where absent."""


@dataclass(frozen=True)
class FittedCalibration:
    """A calibration, and why its methods were chosen."""

    calibration: Calibration
    errors: Mapping[str, Mapping[Method, float]]
    """Error of each method on users that its fit did not see, by task; empty where not chosen."""


def fit_calibration(
    log: ScoredLog, config: RunConfig, wish: CalibrationWish, *, weights: str
) -> FittedCalibration:
    """Return maps for all tasks.

    Args:
        log: rows that the model was not trained on; its columns hold that of the segments.
        config: of the run.
        wish: what the calibration should look like.
        weights: digest of the weights that gave the scores.

    Raises:
        DataError: the segment column has too many values.
    """
    names = list(config.tasks)
    plain = [
        TaskCalibration(
            task=name, keep_rate=wish.keep_rates.get(name, 1.0), everywhere=IdentityMap()
        )
        for name in names
    ]
    restored = Calibration(weights=weights, tasks=tuple(plain))
    rows = ScoredRows(
        log.rows.labels,
        restored.corrected(log.rows.scores, names),
        log.rows.truth,
        restored.row_weight(log.rows.truth, names, log.rows.weight),
        log.rows.user,
    )
    texts = _segment_texts(log, wish.segment)
    tasks, errors = [], {}
    for place in TaskGraph.from_tasks(config.tasks).topological_order():
        along = _along(rows, place, config)
        maps = _fit_task(rows, place, along, config=config, method=wish.method, texts=texts)
        fitted = {
            "everywhere": maps.everywhere,
            "by_segment": dict(maps.by_segment),
            "notes": maps.notes,
            "along": tuple(names[above] for above in along),
            "at_most": () if along else tuple(_bounds(rows, place)),
        }
        tasks.append(plain[place].model_copy(update=fitted))
        errors[names[place]] = maps.errors
    calibration = Calibration(
        weights=weights,
        segment=wish.segment,
        preference=None if wish.preference is None else dict(wish.preference),
        tasks=tuple(tasks),
    )
    return FittedCalibration(calibration, errors)


def _segment_texts(log: ScoredLog, segment: str | None) -> np.ndarray | None:
    if segment is None:
        return None
    texts = segment_texts(log.columns[segment])
    n_values = len(np.unique(texts))
    if n_values > MAX_SEGMENTS:
        raise DataError(
            f"A segment column must have at most {MAX_SEGMENTS} values, got {n_values} "
            f"({segment}).",
            hint="Group the values first, for example into quantiles or the most frequent.",
        )
    return texts


def _along(rows: ScoredRows, place: int, config: RunConfig) -> tuple[int, ...]:
    """Return the parents of a chance that was learned as a joint event on all impressions."""
    path = rows.path(rows.labels[place].name)
    if not (config.model.relations.replaces_losses and len(path) > 1):
        return ()
    return path[1:] if all(rows.labels[step].kind == "binary" for step in path) else ()


def _bounds(rows: ScoredRows, place: int) -> Iterator[tuple[str, ...]]:
    """Yield what a chance on all impressions must not exceed: those of its parents there."""
    label = rows.labels[place]
    if label.kind != "binary" or label.observed_when is not None:
        return
    for parent in label.parents:
        path = rows.path(parent)
        if path:
            yield tuple(rows.labels[step].name for step in path)


def _fit_task(
    rows: ScoredRows,
    place: int,
    along: tuple[int, ...],
    *,
    config: RunConfig,
    method: Method,
    texts: np.ndarray | None,
) -> FittedMaps:
    label = rows.labels[place]
    task = config.tasks[label.name]
    if isinstance(task, RegressionTask) and task.loss == "quantile":
        return FittedMaps(IdentityMap(), notes=("not calibrated: its score is a quantile",))
    path = (place, *along)
    score = joint_score(rows.scores, path) if along else rows.scores[:, place]
    truth = joint_label(rows.truth, path) if along else rows.truth[:, place]
    found = [] if texts is None else np.unique(texts).tolist()
    return fit_maps(
        _observed(rows, score, truth),
        is_chance=_is_chance(label),
        method=method,
        generator=named_generator(config.training.seed, "calibration", label.name),
        segments=[(name, _observed(rows, score, truth, texts == name)) for name in found],
    )


def _is_chance(label: LabelSpec) -> bool:
    return label.kind == "binary"


def _observed(
    rows: ScoredRows,
    score: Float[np.ndarray, " N"],
    truth: Float[np.ndarray, " N"],
    within: np.ndarray | None = None,
) -> Rows:
    part = slice(None) if within is None else np.flatnonzero(within)
    return observed_rows(
        score[part],
        truth[part],
        weight=None if rows.weight is None else rows.weight[part],
        group=None if rows.user is None else rows.user[part],
    )

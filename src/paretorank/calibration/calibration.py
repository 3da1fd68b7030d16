"""The calibration of all tasks, as data: what a run keeps and serving applies.

A score is calibrated in its own sample space, except where a model learns the joint event on all
impressions (ESMM). There the joint chance is calibrated, which is observed on every impression, and
the chance given the parents is the ratio of joint chances, cut at 1 (Ma et al., Entire Space
Multi-Task Model, SIGIR 2018, equation 2, solved for the second factor). What happens only after
something else never gets a higher chance on all impressions than that.

Every map keeps the order of what it maps. The order of a task's scores may still change: between
segments with maps of their own, by a ratio, and where a bound cuts.

Shapes: N rows, T tasks.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float, Shaped
from pydantic import Field

from paretorank.calibration.down_sampling import corrected, restoring_weight
from paretorank.calibration.maps import CalibrationMap
from paretorank.foundation.section import Section


class TaskCalibration(Section):
    """What is done to the scores of one task."""

    task: str
    """Its name."""
    keep_rate: float = Field(default=1.0, gt=0, le=1)
    """Chance with which rows with label 0 were kept in the log; corrected before anything else."""
    along: tuple[str, ...] = ()
    """Parents whose scores are multiplied to this one's: the maps are those of the joint chance."""
    at_most: tuple[tuple[str, ...], ...] = ()
    """Tasks whose calibrated scores multiply to something that this score must not exceed."""
    everywhere: CalibrationMap
    """The map of all rows."""
    by_segment: dict[str, CalibrationMap] = Field(default_factory=dict)
    """Maps of segments, which take the place of that of all rows."""
    notes: tuple[str, ...] = ()
    """What was left out, and why."""


class Calibration(Section):
    """The calibration of all tasks of a run."""

    version: Literal[1] = 1
    """Version of this format."""
    weights: str
    """Digest of the weights whose scores are calibrated."""
    segment: str | None = None
    """Column whose values have maps of their own."""
    preference: dict[str, float] | None = None
    """What the model was told to prefer while it was fitted; None is its default."""
    tasks: tuple[TaskCalibration, ...]
    """Parents before children."""

    def apply(
        self,
        scores: Float[np.ndarray, "N T"],
        names: Sequence[str],
        *,
        segment: Shaped[np.ndarray, " N"] | None = None,
    ) -> Float[np.ndarray, "N T"]:
        """Return calibrated scores in float64; tasks without a calibration stay as they are.

        Args:
            scores: of the model.
            names: the tasks, in the order of the columns.
            segment: texts of the segment column; without them the maps of all rows are used.
        """
        places = {name: place for place, name in enumerate(names)}
        raw = self.corrected(scores, names)
        result = raw.copy()
        for task in self.tasks:
            if task.task not in places:
                continue
            along = [places[name] for name in task.along]
            mapped = _mapped(task, raw[:, [places[task.task], *along]].prod(axis=1), segment)
            if along:
                mapped = _ratio(mapped, result[:, along].prod(axis=1))
            for bound in task.at_most:
                product = result[:, [places[name] for name in bound]].prod(axis=1)
                mapped = np.minimum(mapped, product)
            result[:, places[task.task]] = mapped
        return result

    def corrected(
        self, scores: Float[np.ndarray, "N T"], names: Sequence[str]
    ) -> Float[np.ndarray, "N T"]:
        """Return scores as they were had no row been dropped."""
        rates = self.keep_rates(names)
        columns = [corrected(scores[:, at], rate) for at, rate in enumerate(rates)]
        return np.stack(columns, axis=1)

    def keep_rates(self, names: Sequence[str]) -> list[float]:
        """Return the keep rate of each task."""
        known = {task.task: task.keep_rate for task in self.tasks}
        return [known.get(name, 1.0) for name in names]

    def row_weight(
        self,
        label: Float[np.ndarray, "N T"],
        names: Sequence[str],
        weight: Shaped[np.ndarray, " N"] | None,
    ) -> Shaped[np.ndarray, " N"] | None:
        """Return the weights that make up for dropped rows; those given where none were."""
        rates = np.array(self.keep_rates(names))
        if (rates == 1.0).all():
            return weight
        restoring = restoring_weight(label, rates)
        return restoring if weight is None else weight * restoring


def _mapped(
    task: TaskCalibration,
    score: Float[np.ndarray, " N"],
    segment: Shaped[np.ndarray, " N"] | None,
) -> Float[np.ndarray, " N"]:
    """Apply the map of each row's segment."""
    result = task.everywhere.apply(score)
    if segment is not None:
        for name, own in task.by_segment.items():
            within = segment == name
            result[within] = own.apply(score[within])
    return result


def _ratio(
    joint: Float[np.ndarray, " N"], above: Float[np.ndarray, " N"]
) -> Float[np.ndarray, " N"]:
    """Return a chance given others, at most 1; 0 where the others cannot happen."""
    never = np.where(np.isnan(joint), joint, 0.0)
    return np.minimum(np.divide(joint, above, out=never, where=above > 0.0), 1.0)

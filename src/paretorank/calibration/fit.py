"""Fits the map of one task, and of its segments.

Shapes: N rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from jaxtyping import Bool

from paretorank.calibration.base import ScoreMap
from paretorank.calibration.choice import cross_fitted_errors
from paretorank.calibration.identity import IdentityMap
from paretorank.calibration.maps import CHANCE_FITS, VALUE_FITS, Method
from paretorank.metrics import Rows

LEAST_EVENTS: Final = 20
"""Rows of each label, 1 and 0, below which no map of chances is fitted."""
LEAST_ROWS: Final = 50
"""Rows below which no map of expected values is fitted."""


@dataclass(frozen=True)
class FittedMaps:
    """What was fitted, and what to know about it."""

    everywhere: ScoreMap
    by_segment: Mapping[str, ScoreMap] = field(default_factory=dict)
    errors: Mapping[Method, float] = field(default_factory=dict)
    """Error of every method on users that its fit did not see; empty unless asked to choose."""
    notes: tuple[str, ...] = ()


def fit_maps(
    rows: Rows,
    *,
    is_chance: bool,
    method: Method,
    generator: np.random.Generator,
    segments: Sequence[tuple[str, Rows]] = (),
) -> FittedMaps:
    """Return the map of all rows, and one for each segment that has enough of them.

    Args:
        rows: observed rows; their groups are users.
        is_chance: whether scores are chances, not expected values.
        method: a method that does not suit the kind of score counts as "auto".
        generator: divides the users for the choice.
        segments: names and rows; they get the method that was chosen on all rows.
    """
    fits = CHANCE_FITS if is_chance else VALUE_FITS
    scarce = too_few(rows, is_chance=is_chance)
    if scarce:
        return FittedMaps(IdentityMap(), notes=(f"not calibrated: {scarce}",))
    errors: dict[Method, float] = {}
    if method not in fits:
        errors = cross_fitted_errors(rows, fits, is_chance=is_chance, generator=generator)
        method = min(errors, key=lambda name: errors[name])  # the simpler one of equals
    fit, notes, maps = fits[method], [], {}
    for name, part in segments:
        scarce = too_few(part, is_chance=is_chance)
        if scarce:
            notes.append(f"{name}: the map of all rows, {scarce}")
        else:
            maps[name] = fit(part)
    return FittedMaps(fit(rows), maps, errors, tuple(notes))


def too_few(rows: Rows, *, is_chance: bool) -> str:
    """Return in words why nothing can be fitted on the rows; empty if it can."""
    if not is_chance:
        return "" if len(rows) >= LEAST_ROWS else f"{len(rows)} of {LEAST_ROWS} rows needed"
    ones = int((rows.label == 1.0).sum())
    fewest = min(ones, len(rows) - ones)
    if fewest >= LEAST_EVENTS:
        return ""
    label = 1 if ones == fewest else 0
    return f"{fewest} of {LEAST_EVENTS} rows needed have the label {label}"


def rows_within(rows: Rows, within: Bool[np.ndarray, " N"]) -> Rows:
    """Return some of the rows."""
    group = None if rows.group is None else rows.group[within]
    return Rows(rows.score[within], rows.label[within], rows.weight[within], group)

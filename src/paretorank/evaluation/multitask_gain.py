"""Multi-task gain: how much better a set of tasks became, on average over tasks.

Source: Maninis et al., Attentive Single-Tasking of Multiple Tasks, CVPR 2019, section 4 (Delta m).
Higher is better here; the papers of Nash-MTL and FAMO print the opposite sign. We return a
fraction where papers print percent, and divide by the reference's magnitude, which differs only
for metrics below 0.

Shapes: T tasks, R resamples.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float


def multitask_gain(
    values: Sequence[float], reference: Sequence[float], *, higher_is_better: Sequence[bool]
) -> float:
    """Return the mean relative gain of one metric per task over the reference's.

    NaN if a task has no gain (see `relative_gain`), so that no task goes missing unnoticed.

    Raises:
        ValueError: the lengths differ or there is no task.

    >>> round(multitask_gain([0.82, 1.9], [0.8, 2.0], higher_is_better=[True, False]), 4)
    0.0375
    """
    if not len(values) == len(reference) == len(higher_is_better) > 0:
        raise ValueError(
            "`values`, `reference` and `higher_is_better` must have one entry per task, got "
            f"{len(values)}, {len(reference)} and {len(higher_is_better)}."
        )
    gains = [
        relative_gain(value, before, higher_is_better=is_higher)
        for value, before, is_higher in zip(values, reference, higher_is_better, strict=True)
    ]
    return math.fsum(gains) / len(gains)


def relative_gain(value: float, reference: float, *, higher_is_better: bool) -> float:
    """Return the gain as a fraction of the reference; NaN if one is NaN or the reference is 0."""
    if reference == 0.0:
        return math.nan
    change = (value - reference) / abs(reference)
    return change if higher_is_better else -change


def relative_gains(
    values: Float[np.ndarray, " R"],
    reference: Float[np.ndarray, " R"],
    *,
    higher_is_better: bool,
) -> Float[np.ndarray, " R"]:
    """Return the relative gain of each resample, see `relative_gain`."""
    change = np.full(len(values), np.nan)
    np.divide(values - reference, np.abs(reference), out=change, where=reference != 0.0)
    return change if higher_is_better else -change

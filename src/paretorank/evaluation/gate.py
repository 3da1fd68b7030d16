"""The see-saw gate: no guarded task may pay for the others.

Two questions can be asked, and they differ where little is known. *Is it worse than tolerated,
with confidence?* lets through what nobody can tell; all guards share the chance of a false alarm,
so p-values are corrected. *Is it confidently not worse than tolerated?* stops what nobody can tell;
all guards must pass, which needs no correction: the chance to let through a run that is worse than
tolerated somewhere is never above that of a single guard (intersection-union test; Berger,
Technometrics 1982).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from paretorank.evaluation.correction import Correction, corrected
from paretorank.evaluation.difference import Difference, Verdict
from paretorank.foundation.errors import ConfigError
from paretorank.foundation.suggestions import did_you_mean


@dataclass(frozen=True)
class GateConfig:
    """What must not become worse, and by how much."""

    guards: tuple[str, ...] = ()
    """Names such as "click.auc" or, on all impressions, "like.auc@impressions"; none guards the
    main metric of every task that all runs have."""
    tolerance: float = 0.0
    """Loss that is accepted, in units of the metric."""
    require_non_inferior: bool = False
    """Whether a guard must be shown to be no worse than tolerated."""
    correction: Correction = "holm"
    """How p-values allow for there being many guards and runs."""


def judged(
    differences: Sequence[Difference], config: GateConfig, *, confidence: float
) -> tuple[Difference, ...]:
    """Return the differences with verdicts, and which of them keep the gate shut.

    Raises:
        ConfigError: a guard does not exist, or has no value in one of the runs.
        ValueError: the tolerance is negative.
    """
    if not config.tolerance >= 0.0:
        raise ValueError(f"`tolerance` must be at least 0, got {config.tolerance}.")
    guarded = [_is_guarded(difference, config) for difference in differences]
    _refuse_unknown(differences, config.guards)
    level, tolerance = 1.0 - confidence, config.tolerance
    p = np.array(
        [d.p if is_in else math.nan for d, is_in in zip(differences, guarded, strict=True)]
    )
    p_beyond = np.array(
        [
            d.gain.p_value(-tolerance) if is_in else math.nan
            for d, is_in in zip(differences, guarded, strict=True)
        ]
    )
    p_corrected = corrected(p, config.correction)
    p_worse = corrected(p_beyond, config.correction)
    result = []
    for at, difference in enumerate(differences):
        gain = difference.gain.value
        if config.require_non_inferior:
            is_shown = bool(gain > -tolerance and p_beyond[at] < level)
            fails = guarded[at] and not (is_shown or _is_identical(difference))
        else:
            fails = bool(gain < -tolerance and p_worse[at] < level)
        result.append(
            replace(
                difference,
                is_guarded=guarded[at],
                p_corrected=float(p_corrected[at]),
                verdict=_verdict(gain, float(p_corrected[at]), level),
                fails=fails,
            )
        )
    return tuple(result)


def _is_guarded(difference: Difference, config: GateConfig) -> bool:
    """Return whether a difference counts; by default not where a run lacks the task."""
    if config.guards:
        return difference.name in config.guards
    return difference.is_main and difference.is_own and not difference.is_missing


def _is_identical(difference: Difference) -> bool:
    """Return whether the runs agree on every draw, so that nothing is left to doubt."""
    return difference.gain.value == 0.0 and difference.gain.standard_error == 0.0


def _refuse_unknown(differences: Sequence[Difference], guards: Sequence[str]) -> None:
    names = [difference.name for difference in differences]
    for guard in guards:
        if guard not in names:
            raise ConfigError(
                f"A guard must be a metric of a task, got {guard!r}.",
                hint=did_you_mean(guard, names),
            )
        for difference in differences:
            if difference.name == guard and math.isnan(difference.gain.value):
                raise ConfigError(
                    f"The guard {guard} has no value for {difference.run}: {difference.note}.",
                    hint="Guard what both runs have, or give more rows.",
                )


def _verdict(gain: float, p: float, level: float) -> Verdict | None:
    if math.isnan(p):
        return None
    if p >= level:
        return "same"
    return "better" if gain > 0.0 else "worse"

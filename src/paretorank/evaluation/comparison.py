"""Several runs on the same rows: who is better at what, and how sure that is.

Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 16, with users as the
units. All runs see the same draws of users, so that their differences are paired.

Shapes: R resamples, T tasks.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from paretorank.evaluation.difference import Difference, Estimate, goodness
from paretorank.evaluation.gate import GateConfig, judged
from paretorank.evaluation.multitask_gain import relative_gain, relative_gains
from paretorank.evaluation.paired_draws import LINEARISE_FROM, NO_TASK, PairedDraws, paired_draws
from paretorank.evaluation.rows import ScoredRows
from paretorank.foundation.seeds import named_generator


@dataclass(frozen=True)
class MeanGain:
    """The mean relative gain of a run's tasks over the baseline (Delta m), higher is better."""

    run: str
    value: float
    low: float
    high: float
    tasks: tuple[str, ...]
    """The tasks that both have, by their main metrics in their own sample spaces."""
    left_out: tuple[str, ...]
    """Tasks that have no gain: one of the two lacks them, or the metric is undefined."""


@dataclass(frozen=True)
class Comparison:
    """Every difference of every run from the baseline."""

    baseline: str
    runs: tuple[str, ...]
    differences: tuple[Difference, ...]
    """By run, then as in an evaluation."""
    mean_gains: tuple[MeanGain, ...]
    """By run."""
    gate: GateConfig
    confidence: float
    n_resamples: int
    n_rows: int
    calibrated: tuple[str, ...] = ()
    """Who of baseline and runs has calibrated scores; the others' are as the models give them."""

    @property
    def failures(self) -> tuple[Difference, ...]:
        """What keeps the gate shut."""
        return tuple(difference for difference in self.differences if difference.fails)

    @property
    def passed(self) -> bool:
        """Whether no guarded metric fails."""
        return not self.failures

    def of_run(self, run: str) -> tuple[Difference, ...]:
        """Return the differences of one run."""
        return tuple(difference for difference in self.differences if difference.run == run)

    def mean_gain(self, run: str) -> MeanGain:
        """Return the mean relative gain of one run."""
        return next(gain for gain in self.mean_gains if gain.run == run)

    def to_json(self) -> dict[str, Any]:
        """Return everything, ready for a JSON file."""
        return {
            "baseline": self.baseline,
            "runs": list(self.runs),
            "rows": self.n_rows,
            "resamples": self.n_resamples,
            "confidence": self.confidence,
            "calibrated": list(self.calibrated),
            "gate": {
                **vars(self.gate),
                "passed": self.passed,
                "failures": [f"{d.run}: {d.name}" for d in self.failures],
            },
            "mean_gains": [vars(gain) for gain in self.mean_gains],
            "differences": [difference.to_json() for difference in self.differences],
        }


def compare_rows(
    runs: Mapping[str, ScoredRows],
    *,
    gate: GateConfig | None = None,
    n_resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    linearise_from: int = LINEARISE_FROM,
) -> Comparison:
    """Compare runs that scored the same rows in the same order; the first one is the baseline.

    Weights and users are those of the baseline. Without users every row stands alone.

    Args:
        runs: scored rows by name.
        gate: what must not become worse; by default every task's main metric, at no tolerance.
        n_resamples: draws of users; 1000 know a standard error to 2 percent.
        confidence: of the intervals; what is left is the level of the gate.
        seed: the same seed gives the same draws.
        linearise_from: rows from which on the AUC of a draw is linearised.

    Raises:
        ConfigError: a guard does not exist.
        DataError: two runs mean different things by a task.
        ValueError: there are fewer than two runs, their lengths differ, or an option is out of
            range.
    """
    _check(runs, n_resamples, confidence)
    names = list(runs)
    measured = paired_draws(
        list(runs.values()),
        n_resamples=n_resamples,
        generator=named_generator(seed, "compare"),
        linearise_from=linearise_from,
    )
    gate = gate or GateConfig()
    differences = [
        _difference(part, at, name, confidence)
        for at, name in enumerate(names[1:], start=1)
        for part in measured
    ]
    return Comparison(
        names[0],
        tuple(names[1:]),
        judged(differences, gate, confidence=confidence),
        tuple(_mean_gain(measured, at, n, confidence) for at, n in enumerate(names) if at),
        gate,
        confidence,
        n_resamples,
        len(runs[names[0]]),
    )


def _check(runs: Mapping[str, ScoredRows], n_resamples: int, confidence: float) -> None:
    if len(runs) < 2:  # noqa: PLR2004 - a difference has two sides
        raise ValueError(f"`runs` must be at least 2, got {len(runs)}.")
    lengths = {name: len(rows) for name, rows in runs.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"`runs` must have the same rows, got {lengths}.")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"`confidence` must be between 0 and 1, got {confidence}.")
    if n_resamples < 0:
        raise ValueError(f"`n_resamples` must be at least 0, got {n_resamples}.")


def _difference(part: PairedDraws, at: int, run: str, confidence: float) -> Difference:
    """Return how much better a run is than the first one in one metric."""
    metric = part.metric
    baseline, value = float(part.values[0]), float(part.values[at])
    draws = goodness(metric, part.draws[at]) - goodness(metric, part.draws[0])
    gain = metric.goodness(value) - metric.goodness(baseline)
    estimate = Estimate.of_draws(gain, draws, part.n_clusters)
    low, high = estimate.interval(confidence)
    reasons = {"baseline": part.notes[0], run: part.notes[at]}
    notes = [f"{who}: {reason}" for who, reason in reasons.items() if reason]
    return Difference(
        run=run,
        task=part.task,
        space=part.space,
        is_own=part.is_own,
        is_main=part.is_main,
        is_missing=NO_TASK in reasons.values(),
        metric=metric.name,
        baseline=baseline,
        value=value,
        gain=estimate,
        low=low,
        high=high,
        p=estimate.p_value(),
        n_rows=part.n_rows,
        n_clusters=part.n_clusters,
        note="; ".join(notes) or None,
    )


def _mean_gain(measured: Sequence[PairedDraws], at: int, run: str, confidence: float) -> MeanGain:
    """Return the mean relative gain of the main metrics that both runs have."""
    main = [part for part in measured if part.is_own and part.is_main]
    gains, draws, tasks, left_out = [], [], [], []
    for part in main:
        is_higher = part.metric.higher_is_better
        gain = relative_gain(
            float(part.values[at]), float(part.values[0]), higher_is_better=is_higher
        )
        if math.isnan(gain):
            left_out.append(part.task)
            continue
        tasks.append(part.task)
        gains.append(gain)
        draws.append(relative_gains(part.draws[at], part.draws[0], higher_is_better=is_higher))
    if not gains:
        return MeanGain(run, math.nan, math.nan, math.nan, (), tuple(left_out))
    n_clusters = min(part.n_clusters for part in main if part.task in tasks)
    value = math.fsum(gains) / len(gains)
    estimate = Estimate.of_draws(value, np.mean(draws, axis=0), n_clusters)
    low, high = estimate.interval(confidence)
    return MeanGain(run, value, low, high, tuple(tasks), tuple(left_out))

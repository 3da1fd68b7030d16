"""A value with its interval, or the reason why there is none.

Shapes: N shown rows, G requests.
"""

from dataclasses import asdict, dataclass, replace
from statistics import NormalDist
from typing import Any, Final

import numpy as np
from jaxtyping import Float, Int

LEAST_EFFECTIVE: Final = 50.0
"""Effective sample size below which an interval by the normal law cannot be trusted."""
LARGEST_SHARE: Final = 0.1
"""Share of all weight that one shown row may carry."""
SUPPORT_GAP: Final = 0.05
"""Share of the target's choices that the log may be unable to show."""
LEAST_CLUSTERS: Final = 2
"""Users, or requests where users are not known, whose spread makes an interval."""
_DEVIATIONS: Final = 3.0
"""Standard errors of the mean weight beyond which it is not chance."""


@dataclass(frozen=True)
class Overlap:
    """How much the log says about another policy."""

    n_requests: int
    n_used: int
    """Shown rows that the target could have shown; one per request unless there are lists."""
    effective_size: float
    """Requests that would say as much with equal weights (Kish): (sum w)^2 / sum w^2, divided by
    the rows of a request."""
    mean_weight: float
    """1 if propensities are right and the log can show all that the target shows."""
    mean_weight_error: float
    """Standard error of it."""
    max_weight: float
    largest_share: float
    """Share of all weight that the heaviest row carries."""
    support: float | None
    """Share of the target's choices that the log could show, or did show where positions are all
    that is known; None where propensities of rows that were not shown are unknown."""


@dataclass(frozen=True)
class ValueEstimate:
    """Mean reward per request, had the target policy chosen."""

    estimator: str
    value: float
    low: float
    high: float
    confidence: float
    overlap: Overlap
    gain: float
    """How much more that is than what the log brought."""
    gain_low: float | None
    gain_high: float | None
    """Its interval: request by request, what both have in common drops out. None where the value
    rests on something fitted, whose error does not drop out."""

    @property
    def logged(self) -> float:
        """Mean reward per request of what the log showed."""
        return self.value - self.gain

    def without_gain_interval(self) -> "ValueEstimate":
        """Return the same, with a gain that has no interval."""
        return replace(self, gain_low=None, gain_high=None)

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {**asdict(self), "logged": self.logged}


@dataclass(frozen=True)
class Refusal:
    """No number, because the log cannot give one."""

    reason: str
    overlap: Overlap | None

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return asdict(self)


def estimate_of(
    estimator: str,
    value: float,
    influence: Float[np.ndarray, " G"],
    *,
    logged: Float[np.ndarray, " G"],
    cluster: Int[np.ndarray, " G"],
    overlap: Overlap,
    confidence: float,
) -> ValueEstimate | Refusal:
    """Return a value with its intervals, or a refusal if one cluster alone shows no spread.

    Args:
        estimator: its name.
        value: mean reward per request, had the target policy chosen.
        influence: each request's pull on it.
        logged: reward of each request in the log.
        cluster: whose requests hang together, numbered from 0.
        overlap: how much the log says.
        confidence: share of logs whose interval should hold the true value.
    """
    n_clusters = len(np.unique(cluster))
    if n_clusters < LEAST_CLUSTERS:
        return Refusal(
            f"An interval needs {LEAST_CLUSTERS} users or more, and the log holds {n_clusters}.",
            overlap,
        )
    gain = value - float(logged.mean())
    half = interval(influence, cluster, confidence)
    of_gain = interval(influence - (logged - logged.mean()), cluster, confidence)
    low, high = value - half, value + half
    return ValueEstimate(
        estimator, value, low, high, confidence, overlap, gain, gain - of_gain, gain + of_gain
    )


def overlap_of(
    weight: Float[np.ndarray, " N"], support: float | None = None, *, rows_per_request: float = 1.0
) -> Overlap:
    """Return what the weights of shown rows say about overlap."""
    n_rows, total = len(weight), float(weight.sum())
    squares, largest = float(np.square(weight).sum()), float(weight.max(initial=0.0))
    spread = float(weight.std(ddof=1)) if n_rows > 1 else 0.0
    return Overlap(
        n_requests=round(n_rows / rows_per_request),
        n_used=int((weight > 0.0).sum()),
        effective_size=total**2 / squares / rows_per_request if squares > 0.0 else 0.0,
        mean_weight=total / n_rows if n_rows else 0.0,
        mean_weight_error=spread / float(np.sqrt(n_rows)) if n_rows else 0.0,
        max_weight=largest,
        largest_share=largest / total if total > 0.0 else 0.0,
        support=support,
    )


def refusal_of(overlap: Overlap, *, has_mean_one: bool = True) -> Refusal | None:
    """Return why these weights give no number; None if they give one."""
    reason = _reason(overlap, has_mean_one=has_mean_one)
    return None if reason is None else Refusal(reason, overlap)


def check_confidence(confidence: float) -> None:
    """Refuse what is no share.

    Raises:
        ValueError: the confidence is not between 0 and 1.
    """
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"`confidence` must be between 0 and 1, got {confidence}.")


def interval(
    influence: Float[np.ndarray, " G"], cluster: Int[np.ndarray, " G"], confidence: float
) -> float:
    """Return half the width of the interval of a mean, from each request's pull on it.

    Requests of one cluster hang together; the law is normal (delta method). A spread needs two
    clusters.
    """
    pull = np.bincount(cluster, weights=influence)
    n_clusters = len(pull)
    variance = float(np.square(pull).sum()) * n_clusters / (n_clusters - 1)
    quantile = NormalDist().inv_cdf(0.5 + 0.5 * confidence)
    return quantile * float(np.sqrt(variance)) / len(influence)


def _reason(overlap: Overlap, *, has_mean_one: bool) -> str | None:
    if overlap.n_used == 0:
        return "No overlap: the log never shows what the target policy would show."
    if overlap.support is not None and overlap.support < 1.0 - SUPPORT_GAP:
        return (
            f"Overlap is missing: the log holds only {overlap.support:.0%} of what the target "
            "policy would show; the rewards of the rest are unknown."
        )
    slack = SUPPORT_GAP + _DEVIATIONS * overlap.mean_weight_error
    if has_mean_one and overlap.mean_weight < 1.0 - slack:
        return (
            f"Overlap is missing: weights average {overlap.mean_weight:.2f} where 1 is due, so the "
            "target policy chooses what the log cannot show, or propensities are too high."
        )
    if has_mean_one and overlap.mean_weight > 1.0 + slack:
        return (
            f"Propensities are too low: weights average {overlap.mean_weight:.2f} where 1 is due."
        )
    if overlap.effective_size < LEAST_EFFECTIVE:
        return (
            f"Overlap is too small: the weights are worth {overlap.effective_size:.0f} requests, "
            f"and {LEAST_EFFECTIVE:.0f} are needed."
        )
    if overlap.largest_share > LARGEST_SHARE:
        return f"Overlap is too small: one row carries {overlap.largest_share:.0%} of all weight."
    return None

"""The value of another policy from logged propensities: IPS, SNIPS, doubly robust.

Sources: Horvitz and Thompson, A Generalization of Sampling without Replacement from a Finite
    Universe, JASA 1952 (IPS); Swaminathan and Joachims, The Self-Normalized Estimator for
    Counterfactual Learning, NeurIPS 2015, section 4 (SNIPS); Dudik et al., Doubly Robust Policy
    Evaluation and Learning, ICML 2011, equation 3.
Assumed: propensities are those the log drew with; what is shown in one request does not change the
reward of another.

Shapes: N rows, G requests.
"""

from typing import Literal

import numpy as np
from jaxtyping import Float

from paretorank.off_policy.log import LoggedChoices, check_lengths
from paretorank.off_policy.result import (
    Refusal,
    ValueEstimate,
    check_confidence,
    estimate_of,
    overlap_of,
    refusal_of,
)

Estimator = Literal["ips", "snips", "dr"]
_ROUNDING = 1e-6


def estimate_value(
    log: LoggedChoices,
    chance: Float[np.ndarray, " N"],
    *,
    estimator: Estimator = "snips",
    expected_reward: Float[np.ndarray, " N"] | None = None,
    confidence: float = 0.95,
) -> ValueEstimate | Refusal:
    """Return the mean reward per request had the target policy chosen, or why nobody can know.

    Args:
        log: what was shown and what came of it.
        chance: with which the target policy shows each candidate; 1 in sum over a request.
        estimator: ips has no bias and the widest interval; snips does not mind rewards far from
            0; dr needs `expected_reward` and is the narrowest if that is any good.
        expected_reward: a guess for every candidate, made without the rewards of its own request.
        confidence: share of logs whose interval should hold the true value.

    Raises:
        ValueError: chances do not sum to 1, or a column does not fit.
    """
    check_confidence(confidence)
    _check(log, chance, estimator, expected_reward)
    weight = log.shown(chance) / log.shown(log.propensity)
    overlap = overlap_of(weight, _support(log, chance))
    refusal = refusal_of(overlap)
    if refusal is not None:
        return refusal
    reward = log.shown(log.reward)
    terms = weight * reward
    if expected_reward is not None and estimator == "dr":
        guessed = log.total(chance * expected_reward)
        terms = guessed + weight * (reward - log.shown(expected_reward))
    value = float(terms.mean())
    influence = terms - value
    if estimator == "snips":
        value = float(terms.sum() / weight.sum())
        influence = weight * (reward - value) / weight.mean()
    return estimate_of(
        estimator,
        value,
        influence,
        logged=reward,
        cluster=log.cluster(),
        overlap=overlap,
        confidence=confidence,
    )


def _support(log: LoggedChoices, chance: Float[np.ndarray, " N"]) -> float | None:
    """Return the share of the target's choices that the log could show."""
    wanted = chance > 0.0
    if not wanted.any() or np.isnan(log.propensity[wanted]).any():
        return None
    return float(log.total(chance * (log.propensity > 0.0)).mean())


def _check(
    log: LoggedChoices,
    chance: Float[np.ndarray, " N"],
    estimator: Estimator,
    expected_reward: Float[np.ndarray, " N"] | None,
) -> None:
    check_lengths(len(log.request), {"chance": chance, "expected_reward": expected_reward})
    if not (chance >= 0.0).all() or (np.abs(log.total(chance) - 1.0) > _ROUNDING).any():
        raise ValueError("`chance` must be at least 0 and sum to 1 over each request.")
    if estimator == "dr" and expected_reward is None:
        raise ValueError("`expected_reward` must be given for dr.")

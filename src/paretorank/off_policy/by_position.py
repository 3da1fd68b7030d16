"""The value of another order of the same rows, from their positions alone.

Source: Li et al., Offline Evaluation of Ranking Policies with Click Models, KDD 2018, section 4.3
    (position-based model); Joachims, Swaminathan and Schnabel, Unbiased Learning-to-Rank with
    Biased Feedback, WSDM 2017, section 4, for the weights.
Assumed: a row is rewarded if it is examined and liked; whether it is examined depends on its
position only, whether it is liked does not depend on position or neighbours. No propensity is
needed, and nothing can be said about rows that were not shown.

Shapes: N rows, K positions.
"""

from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int

from paretorank.off_policy.log import check_lengths
from paretorank.off_policy.result import (
    Refusal,
    ValueEstimate,
    check_confidence,
    estimate_of,
    overlap_of,
    refusal_of,
)

_TINY: Final = 1e-12
"""Keeps the posterior defined where an item is surely seen and liked."""


def estimate_by_position(
    request: Int[np.ndarray, " N"],
    position: Int[np.ndarray, " N"],
    reward: Float[np.ndarray, " N"],
    target_position: Int[np.ndarray, " N"],
    examination: Float[np.ndarray, " K"],
    *,
    user: Int[np.ndarray, " N"] | None = None,
    n_places: int | None = None,
    confidence: float = 0.95,
) -> ValueEstimate | Refusal:
    """Return the mean sum of rewards per request in another order, or why nobody can know.

    The interval takes the examination chances as known.

    Args:
        request: code of the request of each shown row.
        position: where the row was shown; 1 is the top.
        reward: what came of it.
        target_position: where the target policy would show it; beyond K it is not seen.
        examination: chance that position 1, 2, ... is looked at, up to a common factor.
        user: code of the user, whose requests hang together.
        n_places: how many places from the top count, of both lists; all where absent.
        confidence: share of logs whose interval should hold the true value.

    Raises:
        ValueError: columns differ in length, or a position or `n_places` is below 1.
    """
    check_confidence(confidence)
    _refuse_no_place(position, target_position, n_places)
    n_places = len(examination) if n_places is None else min(n_places, len(examination))
    columns = {"position": position, "reward": reward, "target_position": target_position}
    check_lengths(len(request), columns)
    logged = _examined(position, examination)
    wanted = _examined(target_position, examination[:n_places])
    codes, place = np.unique(request, return_inverse=True)
    if ((wanted > 0.0) & ~(logged > 0.0)).any():
        return _unseen((wanted > 0.0) & ~(logged > 0.0))
    weight = np.divide(wanted, logged, out=np.zeros(len(wanted)), where=logged > 0.0)
    overlap = overlap_of(
        weight[wanted > 0.0],
        _covered(place, target_position, wanted, examination[:n_places]),
        rows_per_request=max((wanted > 0.0).sum(), 1) / max(len(codes), 1),
    )
    refusal = refusal_of(overlap, has_mean_one=False)
    if refusal is not None:
        return refusal
    terms = np.bincount(place, weights=weight * reward, minlength=len(codes))
    value = float(terms.mean())
    shown = np.bincount(place, reward * (position <= n_places), len(codes)).astype(np.float64)
    return estimate_of(
        "position",
        value,
        terms - value,
        logged=shown,
        cluster=_clusters(place, user),
        overlap=overlap,
        confidence=confidence,
    )


def estimate_examination(
    item: Int[np.ndarray, " N"],
    position: Int[np.ndarray, " N"],
    reward: Float[np.ndarray, " N"],
    *,
    n_steps: int = 500,
) -> Float[np.ndarray, " K"] | Refusal:
    """Return how often each position is looked at, relative to the one most looked at.

    Fitted by expectation-maximisation on items that were shown at several positions. Assumed on
    top of the above: how much an item is liked does not depend on who asks, so that a log that
    shows an item higher to those who like it makes upper positions look better than they are. On
    the simulated feed that bias is half of one per cent of a value and more than its gain's
    interval: trust the value, not the gain (`ValueEstimate.without_gain_interval`).

    Args:
        item: code of the item of each shown row.
        position: where it was shown; 1 is the top.
        reward: 1 or 0.
        n_steps: of the fit.

    Raises:
        ValueError: a reward is neither 0 nor 1, or a position is below 1.
    """
    if ((reward != 0.0) & (reward != 1.0)).any():
        raise ValueError("`reward` must be 0 or 1.")
    if (position < 1).any():
        raise ValueError("`position` must be at least 1.")
    items = np.unique(item, return_inverse=True)[1]
    n_positions = int(position.max(initial=0))
    cells, cell = np.unique(items * n_positions + position - 1, return_inverse=True)
    who, where = cells // n_positions, cells % n_positions
    if not _hang_together(who, where, n_positions):
        return Refusal(
            "Positions cannot be compared: some of them never showed an item that was also shown "
            "at the others.",
            None,
        )
    shown = np.bincount(cell).astype(np.float64)
    happened = np.bincount(cell, weights=reward)
    examined, liked = np.full(n_positions, 0.5), np.full(int(who.max()) + 1, 0.5)
    for _ in range(n_steps):
        nothing = (shown - happened) / (1.0 - examined[where] * liked[who] + _TINY)
        looked = happened + nothing * examined[where] * (1.0 - liked[who])
        fond = happened + nothing * liked[who] * (1.0 - examined[where])
        examined = np.bincount(where, weights=looked) / np.bincount(where, weights=shown)
        liked = np.bincount(who, weights=fond) / np.bincount(who, weights=shown)
    return examined / examined.max()


def _refuse_no_place(
    position: Int[np.ndarray, " N"],
    target_position: Int[np.ndarray, " M"],
    n_places: int | None,
) -> None:
    if n_places is not None and n_places < 1:
        raise ValueError(f"`n_places` must be at least 1, got {n_places}.")
    if (position < 1).any() or (target_position < 1).any():
        raise ValueError("`position` must be at least 1.")


def _unseen(unknown: Bool[np.ndarray, " N"]) -> Refusal:
    return Refusal(
        f"Overlap is missing: {unknown.mean():.0%} of the rows were shown where nobody looks, and "
        "the target policy would show them where somebody does.",
        None,
    )


def _clusters(
    place: Int[np.ndarray, " N"], user: Int[np.ndarray, " N"] | None
) -> Int[np.ndarray, " G"]:
    """Return the user of each request, or the request itself, numbered from 0."""
    codes, first = np.unique(place, return_index=True)
    return codes if user is None else np.unique(user[first], return_inverse=True)[1]


def _examined(
    position: Int[np.ndarray, " N"], examination: Float[np.ndarray, " K"]
) -> Float[np.ndarray, " N"]:
    padded = np.append(examination, 0.0)
    return padded[np.minimum(position - 1, len(examination))]


def _covered(
    place: Int[np.ndarray, " N"],
    target_position: Int[np.ndarray, " N"],
    wanted: Float[np.ndarray, " N"],
    examination: Float[np.ndarray, " K"],
) -> float:
    """Return the share of the looks at the target's list that fall on rows that were shown."""
    lowest = np.zeros(int(place.max(initial=-1)) + 1, dtype=np.int64)
    np.maximum.at(lowest, place, np.minimum(target_position, len(examination)))
    looks = np.cumsum(examination)[lowest - 1]
    found = np.bincount(place, weights=wanted)
    return float(found.sum() / looks.sum()) if looks.sum() > 0.0 else 0.0


def _hang_together(
    who: Int[np.ndarray, " C"], where: Int[np.ndarray, " C"], n_positions: int
) -> bool:
    """Return whether shared items lead from every position to every other one."""
    reached = np.zeros(n_positions, dtype=bool)
    reached[where[:1]] = True
    for _ in range(n_positions):
        known = np.isin(who, who[reached[where]])
        reached[where[known]] = True
    return bool(reached.all()) and n_positions > 0

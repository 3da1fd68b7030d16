"""What another policy would show: chances of the candidates of each request.

Shapes: N rows.
"""

import numpy as np
from jaxtyping import Float, Int


def top_one_chances(
    score: Float[np.ndarray, " N"], request: Int[np.ndarray, " N"]
) -> Float[np.ndarray, " N"]:
    """Return 1 for the candidate with the highest score, 0 for the others; ties share."""
    place = np.unique(request, return_inverse=True)[1]
    best = score == _largest(score, place)[place]
    return best / np.bincount(place, weights=best)[place]


def softmax_chances(
    score: Float[np.ndarray, " N"], request: Int[np.ndarray, " N"], *, temperature: float
) -> Float[np.ndarray, " N"]:
    """Return chances that grow with the score: exp(score / temperature), normalised.

    Raises:
        ValueError: the temperature is not above 0.
    """
    if not temperature > 0.0:
        raise ValueError(f"`temperature` must be above 0, got {temperature}.")
    place = np.unique(request, return_inverse=True)[1]
    grown = np.exp((score - _largest(score, place)[place]) / temperature)
    return grown / np.bincount(place, weights=grown)[place]


def positions_by_score(
    score: Float[np.ndarray, " N"], request: Int[np.ndarray, " N"]
) -> Int[np.ndarray, " N"]:
    """Return the place of each row in its request by falling score: 1 is the top."""
    place = np.unique(request, return_inverse=True)[1]
    order = np.lexsort((-score, place))
    first = np.searchsorted(place[order], np.arange(place.max(initial=-1) + 1))
    positions = np.empty(len(score), dtype=np.int64)
    positions[order] = np.arange(len(score)) - first[place[order]] + 1
    return positions


def _largest(score: np.ndarray, place: np.ndarray) -> np.ndarray:
    largest = np.full(place.max(initial=-1) + 1, -np.inf)
    np.maximum.at(largest, place, score)
    return largest

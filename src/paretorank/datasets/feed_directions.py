"""Unit vectors of the tasks with cosines that are set exactly.

More than 1 - 1/r directions cannot all have the pairwise cosine r < 0, so one signed dial for
all pairs would be impossible for the seven tasks of the feed. The dial is therefore the cosine
between two *groups*: attention (click, long view, watch) and engagement (like, profile visit,
follow). With unit axes a, b, one per group, and a private axis e_k per task,

    w_k = sqrt(g)·axis + sqrt(1 - g)·e_k,   a·b = relatedness / g

has cosine g inside a group and exactly the relatedness across. Negative feedback leans away from
attention: its cosine with a is -0.3.

Shapes: T tasks, L latent width.
"""

import numpy as np
from jaxtyping import Float

from paretorank.datasets.feed_config import ACTIVE, PASSIVE, TASKS, FeedConfig

LATENT_DIM = 12
"""Width of all latent vectors: two group axes and seven private ones need nine."""
_HATE_LEAN = -0.3


def task_directions(config: FeedConfig, generator: np.random.Generator) -> Float[np.ndarray, "T L"]:
    """Return one unit vector per task, in a random orientation."""
    basis = np.linalg.qr(generator.standard_normal((LATENT_DIM, LATENT_DIM)))[0]
    between = config.relatedness / config.group_cosine
    passive = basis[0]
    active = between * basis[0] + np.sqrt(1 - between * between) * basis[1]
    directions = np.empty((len(TASKS), LATENT_DIM))
    for index, task in enumerate(TASKS):
        axis = active if task in ACTIVE else passive
        lean = np.sqrt(config.group_cosine) if task in PASSIVE + ACTIVE else _HATE_LEAN
        directions[index] = lean * axis + np.sqrt(1 - lean * lean) * basis[2 + index]
    return directions


def cosines(directions: Float[np.ndarray, "T L"]) -> Float[np.ndarray, "T T"]:
    """Return the cosine of every pair of rows."""
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    return np.asarray(unit @ unit.T)

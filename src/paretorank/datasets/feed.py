"""A seeded short-video feed with known truth.

Users ask for lists of videos, a logging policy picks and orders them, people look at some places,
click, and then watch, like, visit the profile or follow. Beside the log stand the true
probabilities of every row: they give each task a ceiling for its AUC, P(feedback | click) without
selection bias, and the front that the best slate policy can reach.

The same configuration gives the same data; the size of the log is part of the configuration, so
a longer log is not the continuation of a shorter one. At the peak it takes about 300
bytes of memory per row.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float

from paretorank.datasets.feed_config import FeedConfig
from paretorank.datasets.feed_directions import cosines
from paretorank.datasets.feed_history import click_history
from paretorank.datasets.feed_outcomes import calibrate, chances, draw_outcomes
from paretorank.datasets.feed_policy import examination, log_impressions
from paretorank.datasets.feed_tables import log_frame, truth_frame
from paretorank.datasets.feed_world import World, draw_world, task_affinities
from paretorank.foundation.seeds import named_generator


@dataclass(frozen=True)
class FeedData:
    """A log, its truth, and the world that both come from."""

    config: FeedConfig
    log: pl.DataFrame
    """Keys, attributes and labels in the order of time; nothing that a platform would not know."""
    truth: pl.DataFrame
    """True probabilities, row by row of the log."""
    task_cosines: Float[np.ndarray, "T T"]
    """Cosines of the task directions in the order of `feed_config.TASKS`."""
    world: World
    intercepts: Float[np.ndarray, " T"]
    """What calibration added to the affinity of each task."""


def simulate_feed(config: FeedConfig) -> FeedData:
    """Simulate a feed from start to end.

    Raises:
        ConfigError: no intercept can reach the configured rates.
    """
    world = draw_world(config)
    rows = log_impressions(config, world)
    affinities = task_affinities(world, rows)
    examined = examination(config, rows.position)
    intercepts = calibrate(config, affinities, examined)
    true = chances(config, affinities, intercepts, examined)
    outcomes = draw_outcomes(config, true, named_generator(config.seed, "feed", "outcomes"))
    missing = named_generator(config.seed, "feed", "missing")
    log = log_frame(config, world, rows, outcomes, missing)
    if config.history_length:
        clicked = outcomes.happened["click"]
        log = log.with_columns(click_history(rows, clicked, length=config.history_length))
    return FeedData(
        config=config,
        log=log,
        truth=truth_frame(true, outcomes),
        task_cosines=cosines(world.directions),
        world=world,
        intercepts=intercepts,
    )

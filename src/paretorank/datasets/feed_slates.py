"""Requests with candidates for their places, and what an order of them brings.

Shapes: B candidates of all requests, R requests, C candidates of each, P places, T tasks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float, Int, Num

from paretorank.datasets.feed import FeedData
from paretorank.datasets.feed_outcomes import Chances, chances, draw_outcomes
from paretorank.datasets.feed_policy import examination
from paretorank.datasets.feed_tables import LOG_START_MS, log_frame
from paretorank.datasets.feed_world import TABS, Impressions, task_affinities
from paretorank.foundation.seeds import named_generator


@dataclass(frozen=True)
class Slates:
    """Candidates of requests of the log, one request after the other."""

    frame: pl.DataFrame
    """The candidates as rows of the log, with labels that nobody has seen."""
    gain: Float[np.ndarray, "R C T"]
    """Expected events of each task, or seconds, at an examined place."""
    examined: Float[np.ndarray, " P"]
    """Chance that somebody looks at a place."""

    @classmethod
    def drawn(
        cls,
        data: FeedData,
        tasks: Sequence[str],
        *,
        n_requests: int,
        n_candidates: int,
        n_places: int,
        seed: int = 0,
    ) -> "Slates":
        """Draw requests from the log, and different items by popularity for each."""
        generator = named_generator(seed, "feed", "front")
        rows = _candidates(data, n_requests, n_candidates, generator)
        examined = np.ones(len(rows.user), dtype=np.float32)
        true = chances(data.config, task_affinities(data.world, rows), data.intercepts, examined)
        gain = np.stack([_gain(true, task) for task in tasks], axis=1)
        outcomes = draw_outcomes(data.config, true, named_generator(seed, "feed", "unseen"))
        missing = named_generator(seed, "feed", "unseen", "missing")
        return cls(
            log_frame(data.config, data.world, rows, outcomes, missing),
            gain.reshape(n_requests, n_candidates, len(tasks)),
            examination(data.config, np.arange(n_places)).astype(np.float64),
        )

    def value(self, score: Float[np.ndarray, "R C"]) -> Float[np.ndarray, " T"]:
        """Return what a request brings if the highest scores get the places, from the first on."""
        order = np.argsort(-score, axis=1, kind="stable")[:, : len(self.examined)]
        shown = np.take_along_axis(self.gain, order[:, :, None], axis=1)
        value: np.ndarray = np.einsum("p,rpt->t", self.examined, shown) / len(score)
        return value


def _gain(true: Chances, task: str) -> Float[np.ndarray, " B"]:
    if task == "click":
        gain = true.attractiveness
    elif task == "watch":
        gain = true.attractiveness * true.watch_given_click_s
    else:
        gain = true.attractiveness * true.given_click[task]
    return np.asarray(gain, dtype=np.float64)


def _candidates(
    data: FeedData, n_requests: int, n_candidates: int, generator: np.random.Generator
) -> Impressions:
    """Return the impressions that requests of the log could have had."""
    row = generator.integers(data.log.height, size=n_requests)
    tab = data.log["tab"].gather(pl.Series(row)).replace_strict(TABS, range(len(TABS)))

    def per_candidate(values: Num[np.ndarray, " R"]) -> Int[np.ndarray, " B"]:
        return np.repeat(values, n_candidates)

    popularity = data.world.items.popularity
    item = [
        generator.choice(len(popularity), n_candidates, replace=False, p=popularity)
        for _ in range(n_requests)
    ]
    return Impressions(
        user=per_candidate(data.log["user_id"].to_numpy()[row]),
        item=np.concatenate(item).astype(np.int32),
        request=per_candidate(np.arange(n_requests, dtype=np.int32)),
        position=np.zeros(n_requests * n_candidates, dtype=np.int32),
        time_ms=per_candidate(data.log["time_ms"].to_numpy()[row] - LOG_START_MS),
        tab=per_candidate(tab.to_numpy().astype(np.int32)),
    )

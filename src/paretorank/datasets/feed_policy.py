"""The logging policy: who comes, what is shown, in which order.

Per request a pool is drawn by popularity; every video of it gets

    selection_strength · (click affinity + noise) + Gumbel noise,

and the best ones are shown in this order. The log therefore holds, and puts first, what was
likely to be clicked: selection bias and position bias hang together, as in a real feed. Requests
are drawn in chunks of fixed size with a generator each. A video appears twice in a request only
if its pool holds fewer different videos than the request needs.

Shapes: B rows, R requests, C candidates of the pool.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from paretorank.datasets.feed_config import TASKS, FeedConfig
from paretorank.datasets.feed_world import Impressions, World, day_of
from paretorank.foundation.seeds import named_generator

_TAB_SHARES = np.array([0.6, 0.25, 0.1, 0.05])
_HOUR_WEIGHTS = 1.2 + np.sin(2 * np.pi * (np.arange(24) - 14) / 24)
_CHUNK_REQUESTS = 8_192
_CLICK = TASKS.index("click")


@dataclass(frozen=True)
class Requests:
    """Who asked for a list, when and where; in the order of time."""

    user: Int[np.ndarray, " R"]
    time_ms: Int[np.ndarray, " R"]
    tab: Int[np.ndarray, " R"]
    size: Int[np.ndarray, " R"]

    def part(self, rows: slice) -> "Requests":
        """Return some of the requests."""
        return Requests(self.user[rows], self.time_ms[rows], self.tab[rows], self.size[rows])


def log_impressions(config: FeedConfig, world: World) -> Impressions:
    """Simulate the policy until there are `n_rows` impressions; the last request may be cut."""
    requests = _draw_requests(config, world)
    n_requests = len(requests.user)
    item = np.concatenate(
        [
            _shown_items(
                config,
                world,
                requests.part(slice(start, start + _CHUNK_REQUESTS)),
                named_generator(config.seed, "feed", "policy", start),
            )
            for start in range(0, n_requests, _CHUNK_REQUESTS)
        ]
    )
    request = np.repeat(np.arange(n_requests, dtype=np.int32), requests.size)
    first_row = np.cumsum(requests.size) - requests.size
    return Impressions(
        user=requests.user[request],
        item=item,
        request=request,
        position=(np.arange(config.n_rows) - first_row[request]).astype(np.int32),
        time_ms=requests.time_ms[request],
        tab=requests.tab[request],
    )


def examination(config: FeedConfig, position: Int[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Return the probability that a place of the list is looked at."""
    return np.asarray((1.0 + position) ** -config.position_bias, dtype=np.float32)


def _draw_requests(config: FeedConfig, world: World) -> Requests:
    generator = named_generator(config.seed, "feed", "requests")
    size = _request_sizes(config, generator)
    n = len(size)
    hour = _draw_codes(generator, _HOUR_WEIGHTS, n)
    day = generator.integers(config.n_days, size=n)
    in_hour_ms = generator.integers(3_600_000, size=n)
    return Requests(
        user=_draw_codes(generator, world.users.weight, n),
        time_ms=np.sort((day * 24 + hour) * 3_600_000 + in_hour_ms),
        tab=_draw_codes(generator, _TAB_SHARES, n),
        size=size,
    )


def _request_sizes(config: FeedConfig, generator: np.random.Generator) -> Int[np.ndarray, " R"]:
    """Return sizes that add up to `n_rows`."""
    if config.request_sizes == "fixed":
        size = np.full(-(-config.n_rows // config.request_size), config.request_size)
    else:
        size = generator.geometric(1 / config.request_size, size=config.n_rows)
        size = np.minimum(size, config.pool_size // 2)
    total = np.cumsum(size)
    last = int(np.searchsorted(total, config.n_rows))
    size = size[: last + 1].copy()
    size[last] -= total[last] - config.n_rows
    return size


def _shown_items(
    config: FeedConfig, world: World, requests: Requests, generator: np.random.Generator
) -> Int[np.ndarray, " B"]:
    """Return the items of some requests, list after list, best place first."""
    shape = (len(requests.user), config.pool_size)
    pool = _draw_codes(generator, world.items.popularity, shape[0] * shape[1]).reshape(shape)
    pool.sort(axis=1)
    noise = np.float32(config.policy_noise) * generator.standard_normal(shape, dtype=np.float32)
    believed = _click_affinity(world, requests, pool) + noise
    score = np.float32(config.selection_strength) * believed
    score -= np.log(generator.standard_exponential(shape, dtype=np.float32))
    score[:, 1:][pool[:, 1:] == pool[:, :-1]] -= np.float32(1e6)  # a video once per request
    widest = int(requests.size.max())
    order = np.argsort(-score, axis=1)[:, :widest]
    is_shown = np.arange(widest) < requests.size[:, None]
    return np.asarray(np.take_along_axis(pool, order, axis=1)[is_shown])


def _click_affinity(
    world: World, requests: Requests, pool: Int[np.ndarray, "R C"]
) -> Float[np.ndarray, "R C"]:
    """Return the part of the click logit that differs among the items of one request."""
    taste = world.users.taste[requests.user] * world.matching[_CLICK]
    angle = np.float32(world.drift_per_day) * day_of(requests.time_ms)[:, None]
    match = np.matmul(world.items.appeal[pool], taste[:, :, None])[:, :, 0]
    now, later = world.items.level[:, _CLICK], world.items.later_level[:, _CLICK]
    return np.asarray(match + np.cos(angle) * now[pool] + np.sin(angle) * later[pool])


def _draw_codes(
    generator: np.random.Generator, weight: Float[np.ndarray, " C"], n: int
) -> Int[np.ndarray, " n"]:
    """Return codes 0, 1, ... drawn with probabilities proportional to the weights."""
    cumulative = np.cumsum(weight) / weight.sum()
    code = np.searchsorted(cumulative, generator.random(n), side="right")
    return np.minimum(code, len(weight) - 1).astype(np.int32)

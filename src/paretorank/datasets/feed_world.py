"""The users, the items, and how much each task likes a pair of them.

The affinity of task k for a user and an item is w_k·φ with

    φ = sqrt(.35)·level_user + sqrt(.35)·level_item(day) + sqrt(.3)·(taste_user ∘ appeal_item),

whose entries have unit variance over users and items, so that the correlation of the affinities
of two tasks is about the cosine of their directions. Half of a user's vectors comes from age
group, city and activity, most of an item's from topic and author: attributes carry a part of
the signal, ids the rest. The level of an item turns by `drift_per_day` towards a second,
independent draw.

Shapes: B rows, U users, I items, T tasks, S tabs, L latent
width.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from paretorank.datasets.feed_config import TASKS, FeedConfig
from paretorank.datasets.feed_directions import LATENT_DIM, task_directions
from paretorank.foundation.seeds import named_generator

N_AGE_GROUPS = 7
N_CITIES = 40
TABS = ("home", "follow", "search", "nearby")
AFFINITY_SCALES = {
    "click": 1.1,
    "long_view": 1.2,
    "like": 1.5,
    "profile_enter": 1.3,
    "follow": 1.5,
    "hate": 1.2,
    "watch": 0.5,
}
"""Standard deviation of the affinity: of a logit, for watch of a log-mean."""
DURATION_EFFECTS = {"click": -0.1, "long_view": -0.4, "watch": 0.45}
"""What one standard deviation of log duration adds to the logit or log-mean."""
_LEVEL_SHARE, _MATCH_SHARE = 0.35, 0.3
_LOG_DURATION_MEAN, _LOG_DURATION_STD = 3.6, 0.7
_AGE_IS_RIGHT, _TAG_IS_RIGHT, _AUTHOR_KEEPS_TAG, _CITY_IS_KNOWN = 0.85, 0.9, 0.75, 0.95
_TAB_EFFECT_STD, _HOUR_EFFECT, _UPLOAD_AGE_EFFECT = 0.2, 0.15, 0.1
_CHUNK_ROWS = 131_072


@dataclass(frozen=True)
class Users:
    """What users are like, and what the log shows of it."""

    taste: Float[np.ndarray, "U L"]
    level: Float[np.ndarray, "U T"]
    weight: Float[np.ndarray, " U"]
    """Probability that a request comes from the user."""
    age_group: Int[np.ndarray, " U"]
    city: Int[np.ndarray, " U"]
    """-1 where unknown."""
    activity: Float[np.ndarray, " U"]


@dataclass(frozen=True)
class Items:
    """What items are like, and what the log shows of it."""

    appeal: Float[np.ndarray, "I L"]
    level: Float[np.ndarray, "I T"]
    later_level: Float[np.ndarray, "I T"]
    popularity: Float[np.ndarray, " I"]
    """Probability of a place in a pool."""
    author: Int[np.ndarray, " I"]
    tag: Int[np.ndarray, " I"]
    duration_s: Float[np.ndarray, " I"]
    age_days: Float[np.ndarray, " I"]
    """Days since the upload when the log begins."""


@dataclass(frozen=True)
class World:
    """All that is fixed before the first request."""

    users: Users
    items: Items
    directions: Float[np.ndarray, "T L"]
    matching: Float[np.ndarray, "T L"]
    """Task directions, scaled to act on taste times appeal."""
    tab_effect: Float[np.ndarray, "S T"]
    drift_per_day: float


@dataclass(frozen=True)
class Impressions:
    """Who was shown what, where and when; one entry per row."""

    user: Int[np.ndarray, " B"]
    item: Int[np.ndarray, " B"]
    request: Int[np.ndarray, " B"]
    position: Int[np.ndarray, " B"]
    time_ms: Int[np.ndarray, " B"]
    """Milliseconds since the beginning of the log; all rows of a request share it."""
    tab: Int[np.ndarray, " B"]


def draw_world(config: FeedConfig) -> World:
    """Draw users, items and task directions."""
    generator = named_generator(config.seed, "feed", "world")
    directions = task_directions(config, generator)
    scaled = directions * np.array([[AFFINITY_SCALES[task]] for task in TASKS])
    effect = _TAB_EFFECT_STD * generator.standard_normal((len(TABS), len(TASKS)))
    return World(
        users=_draw_users(config, scaled, named_generator(config.seed, "feed", "users")),
        items=_draw_items(config, scaled, named_generator(config.seed, "feed", "items")),
        directions=directions,
        matching=_single(np.sqrt(_MATCH_SHARE) * scaled),
        tab_effect=_single(effect),
        drift_per_day=config.drift_per_day,
    )


def task_affinities(world: World, rows: Impressions) -> Float[np.ndarray, "B T"]:
    """Return logit (for watch: log-mean) of every task on every row, up to its intercept."""
    affinities = np.empty((len(rows.user), len(TASKS)), dtype=np.float32)
    for start in range(0, len(affinities), _CHUNK_ROWS):
        part = slice(start, start + _CHUNK_ROWS)
        user, item = rows.user[part], rows.item[part]
        day = day_of(rows.time_ms[part])
        angle = (world.drift_per_day * day)[:, None]
        affinities[part] = (
            (world.users.taste[user] * world.items.appeal[item]) @ world.matching.T
            + world.users.level[user]
            + np.cos(angle) * world.items.level[item]
            + np.sin(angle) * world.items.later_level[item]
            + world.tab_effect[rows.tab[part]]
        )
        affinities[part, TASKS.index("click")] += _click_context(world, item, rows.time_ms[part])
    return affinities


def day_of(time_ms: Int[np.ndarray, " B"]) -> Float[np.ndarray, " B"]:
    """Return the number of whole days since the beginning of the log."""
    return (time_ms // 86_400_000).astype(np.float32)


def hour_of(time_ms: Int[np.ndarray, " B"]) -> Int[np.ndarray, " B"]:
    """Return the hour of the day, 0 to 23."""
    return (time_ms // 3_600_000 % 24).astype(np.int8)


def upload_age_days(
    world: World, item: Int[np.ndarray, " B"], time_ms: Int[np.ndarray, " B"]
) -> Float[np.ndarray, " B"]:
    """Return how old each item was when it was shown."""
    return world.items.age_days[item] + (time_ms / np.float32(86_400_000)).astype(np.float32)


def _click_context(
    world: World, item: Int[np.ndarray, " B"], time_ms: Int[np.ndarray, " B"]
) -> Float[np.ndarray, " B"]:
    """Return what the hour and the age of the video add to the click logit."""
    evening = np.sin(2 * np.pi * (hour_of(time_ms).astype(np.float32) - 14) / 24)
    freshness = -np.log1p(upload_age_days(world, item, time_ms))
    return _single(_HOUR_EFFECT * evening + _UPLOAD_AGE_EFFECT * freshness)


def _draw_users(
    config: FeedConfig, scaled: Float[np.ndarray, "T L"], generator: np.random.Generator
) -> Users:
    n = config.n_users
    age, city = generator.integers(N_AGE_GROUPS, size=n), generator.integers(N_CITIES, size=n)
    activity = generator.standard_normal(n)
    taste, level = (
        _standardised(
            np.sqrt(0.2) * _normal(generator, N_AGE_GROUPS)[age]
            + np.sqrt(0.2) * _normal(generator, N_CITIES)[city]
            + np.sqrt(0.1) * activity[:, None] * _normal(generator, 1)
            + np.sqrt(0.5) * _normal(generator, n)
        )
        for _ in range(2)
    )
    weight = np.exp(activity)
    return Users(
        taste=_single(taste),
        level=_single(np.sqrt(_LEVEL_SHARE) * level @ scaled.T),
        weight=weight / weight.sum(),
        age_group=_garbled(generator, age, N_AGE_GROUPS, right=_AGE_IS_RIGHT),
        city=np.where(generator.random(n) < _CITY_IS_KNOWN, city, -1).astype(np.int32),
        activity=_single(np.exp(activity + 0.3 * generator.standard_normal(n))),
    )


def _draw_items(
    config: FeedConfig, scaled: Float[np.ndarray, "T L"], generator: np.random.Generator
) -> Items:
    n = config.n_items
    author = (config.n_authors * generator.random(n) ** 2).astype(np.int32)
    author_tag = generator.integers(config.n_tags, size=config.n_authors)
    tag = _garbled(generator, author_tag[author], config.n_tags, right=_AUTHOR_KEEPS_TAG)
    appeal, level, later = (
        _standardised(
            np.sqrt(0.4) * _normal(generator, config.n_tags)[tag]
            + np.sqrt(0.3) * _normal(generator, config.n_authors)[author]
            + np.sqrt(0.3) * _normal(generator, n)
        )
        for _ in range(3)
    )
    length = generator.standard_normal(n)
    by_length = length[:, None] * [DURATION_EFFECTS.get(task, 0.0) for task in TASKS]
    rank = 1 + generator.permutation(n)
    popularity = rank**-config.popularity_exponent
    return Items(
        appeal=_single(appeal),
        level=_single(np.sqrt(_LEVEL_SHARE) * level @ scaled.T + by_length),
        later_level=_single(np.sqrt(_LEVEL_SHARE) * later @ scaled.T),
        popularity=popularity / popularity.sum(),
        author=author,
        tag=_garbled(generator, tag, config.n_tags, right=_TAG_IS_RIGHT),
        duration_s=_single(np.exp(_LOG_DURATION_MEAN + _LOG_DURATION_STD * length)),
        age_days=_single(generator.exponential(20.0, n)),
    )


def _normal(generator: np.random.Generator, n: int) -> Float[np.ndarray, "n L"]:
    return generator.standard_normal((n, LATENT_DIM))


def _standardised(table: Float[np.ndarray, "n L"]) -> Float[np.ndarray, "n L"]:
    """Return the columns with mean 0 and variance 1; a constant column (one row) becomes 0."""
    spread = table.std(axis=0)
    return np.asarray((table - table.mean(axis=0)) / np.where(spread > 0, spread, 1.0))


def _garbled(
    generator: np.random.Generator, code: Int[np.ndarray, " n"], n_codes: int, *, right: float
) -> Int[np.ndarray, " n"]:
    """Return the codes with a random one in the place of a share 1 - right of them."""
    other = generator.integers(n_codes, size=len(code))
    return np.where(generator.random(len(code)) < right, code, other).astype(np.int32)


def _single(array: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    return np.asarray(array, dtype=np.float32)

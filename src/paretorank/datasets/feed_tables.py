"""The log that a platform would have, and beside it the truth that only the simulator knows.

Shapes: B rows, U users.
"""

import numpy as np
import polars as pl
from jaxtyping import Bool, Int

from paretorank.datasets.feed_config import (
    DELAYED,
    LABEL_COLUMNS,
    NESTED,
    TASKS,
    FeedConfig,
)
from paretorank.datasets.feed_outcomes import Chances, Outcomes
from paretorank.datasets.feed_world import TABS, Impressions, World, hour_of, upload_age_days

LOG_START_MS = 1_767_571_200_000
"""Monday, 5 January 2026, 00:00 UTC."""


def log_frame(
    config: FeedConfig,
    world: World,
    rows: Impressions,
    outcomes: Outcomes,
    generator: np.random.Generator,
) -> pl.DataFrame:
    """Return keys, attributes and labels as logged.

    A delayed label is 1 only if it came before the log's end; the column of its time is null
    where the label is 0 (and where it is missing). Missing labels are null.
    """
    users, items = world.users, world.items
    columns = {
        "user_id": pl.Series(rows.user),
        "item_id": pl.Series(rows.item),
        "request_id": pl.Series(rows.request),
        "time_ms": pl.Series(rows.time_ms + LOG_START_MS),
        "position": pl.Series(rows.position),
        "tab": pl.Series(TABS, dtype=pl.String).gather(pl.Series(rows.tab)),
        "hour": pl.Series(hour_of(rows.time_ms)),
        "user_age_group": pl.Series(users.age_group[rows.user]),
        "user_city": _nullable(users.city).gather(pl.Series(rows.user)),
        "user_activity": pl.Series(users.activity[rows.user]),
        "author_id": pl.Series(items.author[rows.item]),
        "tag": pl.Series(items.tag[rows.item]),
        "duration_s": pl.Series(items.duration_s[rows.item]),
        "upload_age_days": pl.Series(upload_age_days(world, rows.item, rows.time_ms)),
    }
    missing = {task: _is_missing(config, task, len(rows.user), generator) for task in LABEL_COLUMNS}
    log_end_ms = config.n_days * 86_400_000
    for task, column in LABEL_COLUMNS.items():
        if task == "watch":
            columns[column] = _masked(pl.Series(outcomes.watch_s), missing[task])
            continue
        label = outcomes.happened[task]
        if task in DELAYED:
            label = label & (rows.time_ms + outcomes.delay_ms[task] < log_end_ms)
        columns[column] = _masked(pl.Series(label.astype(np.int8)), missing[task])
    for task in DELAYED:
        moment = pl.Series(rows.time_ms + LOG_START_MS + outcomes.delay_ms[task])
        absent = ~(columns[LABEL_COLUMNS[task]] == 1).fill_null(value=False).to_numpy()
        columns[f"{task}_time_ms"] = _masked(moment, absent)
    return pl.DataFrame(columns)


def truth_frame(chances: Chances, outcomes: Outcomes) -> pl.DataFrame:
    """Return, for the same rows, every probability and the delayed labels as they will end.

    `p_TASK` is P(task) of this impression at its place, `p_TASK_given_click` is defined on
    clicked and unclicked rows, `attractiveness` is P(click) if the place is examined.
    """
    columns = {"examination": chances.examination, "attractiveness": chances.attractiveness}
    for task in TASKS:
        if task != "watch":
            columns[f"p_{task}"] = chances.binary(task)
    for task in (*NESTED, "hate"):
        columns[f"p_{task}_given_click"] = chances.given_click[task]
    watch_s = chances.watch_given_click_s
    columns["expected_watch_s"] = chances.click * watch_s
    columns["expected_watch_given_click_s"] = watch_s
    final = {f"{LABEL_COLUMNS[t]}_final": outcomes.happened[t].astype(np.int8) for t in DELAYED}
    return pl.DataFrame({name: pl.Series(column) for name, column in (columns | final).items()})


def _nullable(code: Int[np.ndarray, " U"]) -> pl.Series:
    """Return codes as text such as "c7", with null in the place of -1."""
    return pl.Series([None if value < 0 else f"c{value}" for value in code], dtype=pl.String)


def _is_missing(
    config: FeedConfig, task: str, n: int, generator: np.random.Generator
) -> Bool[np.ndarray, " B"] | None:
    """Return which rows lack the label; None if no row does."""
    rate = config.missing_rates.get(task, 0.0)
    return generator.random(n, dtype=np.float32) < rate if rate else None


def _masked(values: pl.Series, absent: Bool[np.ndarray, " B"] | None) -> pl.Series:
    """Return the values with null where absent."""
    if absent is None:
        return values
    frame = pl.DataFrame({"value": values, "absent": pl.Series(absent)})
    return frame.select(pl.when(~pl.col("absent")).then("value")).to_series()

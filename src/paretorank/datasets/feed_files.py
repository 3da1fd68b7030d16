"""The simulated feed as files: the log, the truth, and a configuration that can be trained."""

from collections.abc import Sequence
from pathlib import Path

from paretorank.datasets.feed import simulate_feed
from paretorank.datasets.feed_config import LABEL_COLUMNS, NESTED, FeedConfig
from paretorank.foundation.files import atomic_path, write_text

DEFAULT_TASKS = ("click", "long_view", "like", "watch")

_DATA = """\
# A simulated short-video feed: {n_rows:_} impressions, seed {seed}.

[data]
log = "{log}"

[data.keys]
user = "user_id"
item = "item_id"
request = "request_id"
time = "time_ms"

[data.split]
by = "time"
valid_fraction = 0.1
test_fraction = 0.1

[features]
user_id = {{ kind = "categorical" }}
user_age_group = {{ kind = "categorical" }}
user_city = {{ kind = "categorical" }}
user_activity = {{ kind = "numeric", encoding = "piecewise_linear" }}
item_id = {{ kind = "categorical" }}
author_id = {{ kind = "categorical" }}
tag = {{ kind = "categorical" }}
duration_s = {{ kind = "numeric", encoding = "piecewise_linear" }}
upload_age_days = {{ kind = "numeric", encoding = "piecewise_linear" }}
tab = {{ kind = "categorical" }}
hour = {{ kind = "categorical" }}
position = {{ kind = "categorical" }}  # explains clicks; give one and the same place when serving
"""
_HISTORY = 'clicked_items = {{ kind = "sequence", table = "item_id", max_length = {length} }}\n'
_STATISTICS = """
[statistics]
user = { of = ["user_id"] }
item = { of = ["item_id"] }
author = { of = ["author_id"] }
user_tag = { of = ["user_id", "tag"] }
"""


def write_feed(folder: Path, config: FeedConfig) -> Path:
    """Simulate a feed, write `log.parquet`, `truth.parquet`, `feed.toml`; return the last's path.

    Files of these names in the folder are replaced.
    """
    data = simulate_feed(config)
    for name, frame in (("log.parquet", data.log), ("truth.parquet", data.truth)):
        with atomic_path(folder / name) as temporary:
            frame.write_parquet(temporary)
    path = folder / "feed.toml"
    write_text(path, feed_config_toml(config))
    return path


def feed_config_toml(
    config: FeedConfig, *, log: str = "log.parquet", tasks: Sequence[str] = DEFAULT_TASKS
) -> str:
    """Return a configuration that trains on a written log, whose path is relative to it."""
    features = _DATA.format(n_rows=config.n_rows, seed=config.seed, log=log)
    if config.history_length:
        features += _HISTORY.format(length=config.history_length)
    return features + _STATISTICS + "".join(_task_section(task, tasks) for task in tasks)


def _task_section(task: str, tasks: Sequence[str]) -> str:
    """Return the table of one task; tasks after the click name it if it is there."""
    kind = "duration" if task == "watch" else "binary"
    text = f'\n[tasks.{task}]\nkind = "{kind}"\nlabel = "{LABEL_COLUMNS[task]}"\n'
    return text + 'parent = "click"\n' if task in NESTED and "click" in tasks else text

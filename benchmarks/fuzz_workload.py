"""A small log with every kind of column, a configuration that uses them, and its prepared data."""

from pathlib import Path

import numpy as np
import polars as pl

from paretorank.config import load_config, to_toml
from paretorank.workflows.ingest import prepare

N_ROWS = 300
TOML = """
[data]
log = "log.parquet"
weight = "weight"
joins = [{ table = "items.parquet", on = "item", columns = ["author"] }]
[data.keys]
user = "user"
item = "item"
time = "time"
[data.split]
by = "time"
[features]
user = { kind = "categorical" }
item = { kind = "categorical", min_count = 1, dim = 4 }
author = { kind = "categorical", hash_buckets = 16 }
tags = { kind = "categorical", multi = true, separator = "|" }
price = { kind = "numeric", encoding = "piecewise_linear", n_bins = 4 }
vector = { kind = "vector", dim = 2 }
seen = { kind = "sequence", table = "item", max_length = 3 }
taste = { kind = "history", column = "seen", item = "item", match = ["author"] }
[statistics]
by_user = { of = ["user"], smoothing = 5.0 }
[tasks.click]
kind = "binary"
label = "click"
[tasks.like]
kind = "binary"
label = "like"
parent = "click"
observed_when = "click"
[tasks.watch]
kind = "duration"
label = "watch"
observed_when = "click == 1 and price >= 0"
[model.architecture]
kind = "mmoe"
n_experts = 2
expert_dims = [8]
[balancer]
kind = "uncertainty"
"""


def write_workload(folder: Path) -> tuple[list[str], Path]:
    """Return the texts of configurations, short and with every default, and the path of the log."""
    generator = np.random.default_rng(0)
    item = generator.integers(0, 40, N_ROWS)
    click = generator.integers(0, 2, N_ROWS)
    seen = [generator.integers(0, 40, n).tolist() for n in generator.integers(0, 5, N_ROWS)]
    log = pl.DataFrame(
        {
            "user": [f"user {u}" for u in generator.integers(0, 20, N_ROWS)],
            "item": item,
            "tags": [("a|b", "b", "", None)[at] for at in generator.integers(0, 4, N_ROWS)],
            "price": generator.normal(size=N_ROWS),
            "vector": generator.normal(size=(N_ROWS, 2)),
            "seen": seen,
            "time": pl.Series(np.arange(N_ROWS) * 3_600_000_000).cast(pl.Datetime("us", "UTC")),
            "weight": np.ones(N_ROWS),
            "click": click == 1,
            "like": click * generator.integers(0, 2, N_ROWS),
            "watch": click * generator.random(N_ROWS) * 60,
        }
    )
    path = folder / "log.parquet"
    log.write_parquet(path, compression="uncompressed")
    items = pl.DataFrame({"item": np.arange(40), "author": np.arange(40) % 7})
    items.write_parquet(folder / "items.parquet")
    (folder / "run.toml").write_text(TOML, encoding="utf-8")
    config = load_config(folder / "run.toml")
    prepare(config)
    return [TOML, to_toml(config)], path

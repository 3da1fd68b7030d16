"""The workload of the speed benchmarks: a made-up log in the shape of public shopping logs.

    python benchmarks/workload.py FOLDER [--train 1000000] [--test 200000] [--seed 7]

23 categorical columns with Zipf ids (two of 240,000 and 420,000 values, others from 3 to 9,000;
about 700,000 together), 8 numbers, click on 4 % and conversion on 0.5 % of rows (a conversion
implies a click). Labels come from random effects of every value, a low-rank match of user and item,
and bends in the numbers, so that the AUC means something. Writes train.parquet, test.parquet and
workload.toml.
"""

import argparse
from pathlib import Path

import numpy as np
import polars as pl

USER = {
    "user_id": 240_000,
    "city": 3_000,
    "cluster": 1_500,
    "age": 9,
    "gender": 3,
    "level": 12,
    "job": 24,
    "device": 40,
}
ITEM = {
    "item_id": 420_000,
    "shop": 9_000,
    "brand": 7_000,
    "category": 6_000,
    "series": 8_000,
    "price_bin": 50,
    "colour": 30,
    "origin": 64,
}
CONTEXT = {
    "scene": 6,
    "hour": 24,
    "weekday": 7,
    "position": 60,
    "network": 5,
    "query": 5_000,
    "channel": 16,
}
CARDINALITIES = USER | ITEM | CONTEXT
NUMBERS = [f"x{i}" for i in range(8)]
LABELS = ("click", "conversion")
RATES = (0.04, 0.005)
_RANK = 6


PER_IMPRESSION = ("position",)
"""Context that differs within a request."""


def simulate(n_rows: int, rng: np.random.Generator, *, rows_per_request: int = 1) -> pl.DataFrame:
    """Return rows with ids, numbers and labels; a request has one user and one context."""
    request = np.arange(n_rows) // rows_per_request
    n_requests = int(request[-1]) + 1

    def draw(name: str, size: int, exponent: float = 0.85) -> np.ndarray:
        if name in ITEM or name in PER_IMPRESSION:
            return _zipf(rng, size, n_rows, exponent)
        return _zipf(rng, size, n_requests, exponent)[request]

    ids = {name: draw(name, size) for name, size in CONTEXT.items()}
    for group, exponent in ((USER, 0.75), (ITEM, 0.95)):
        key, *attributes = group
        ids[key] = draw(key, group[key], exponent)
        for name in attributes:  # an attribute belongs to the user or the item
            ids[name] = _zipf(rng, group[name], group[key])[ids[key]]
    numbers = rng.normal(size=(n_rows, len(NUMBERS))).astype(np.float32)
    logits = _logits(ids, numbers, rng)
    click = rng.random(n_rows) < _calibrated(logits[0], RATES[0], np.ones(n_rows, bool))
    conversion = click & (rng.random(n_rows) < _calibrated(logits[1], RATES[1] / RATES[0], click))
    columns = {name: ids[name].astype(np.int32) for name in CARDINALITIES}
    columns |= {name: numbers[:, at] for at, name in enumerate(NUMBERS)}
    columns |= {"click": click.astype(np.int8), "conversion": conversion.astype(np.int8)}
    columns |= {"request": request} if rows_per_request > 1 else {}
    return pl.DataFrame(columns)


def workload_toml(*, keys: str = "") -> str:
    """Return the configuration that all competitors are given: the same model, no extras."""
    features = [f'{name} = {{ kind = "categorical", min_count = 1 }}' for name in CARDINALITIES]
    features += [f'{name} = {{ kind = "numeric", encoding = "none" }}' for name in NUMBERS]
    tasks = [f'[tasks.{name}]\nkind = "binary"\nlabel = "{name}"' for name in LABELS]
    return "\n".join(
        [
            '[data]\nlog = ["train.parquet", "test.parquet"]',
            '[data.split]\nby = "column"\ncolumn = "part"\nvalid = [1]\ntest = [2]',
            keys,
            "[features]",
            *features,
            *tasks,
            "[model]\nwide = false\nembedding_dim = 16\ntower_dims = [64]",
            '[model.architecture]\nkind = "mmoe"\nn_experts = 8\nexpert_dims = [256, 128]',
            "[training]\nbatch_size = 2048\nepochs = 1\ntensorboard = false",
            '[training.schedule]\nkind = "constant"\nwarmup_fraction = 0.0\n',
        ]
    )


def write(folder: Path, n_train: int, n_test: int, seed: int, *, rows_per_request: int = 1) -> None:
    """Write the files; the last fiftieth of the training rows is for validation."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    rows = simulate(n_train + n_test, rng, rows_per_request=rows_per_request)
    at = np.arange(len(rows))
    part = np.where(at >= n_train, 2, np.where(at >= n_train - n_train // 50, 1, 0))
    rows = rows.with_columns(pl.Series("part", part.astype(np.int8)))
    rows.head(n_train).write_parquet(folder / "train.parquet")
    rows.tail(n_test).write_parquet(folder / "test.parquet")
    keys = '[data.keys]\nuser = "user_id"\nrequest = "request"' if rows_per_request > 1 else ""
    (folder / "workload.toml").write_text(workload_toml(keys=keys))


def _zipf(rng: np.random.Generator, size: int, n: int, exponent: float = 0.85) -> np.ndarray:
    mass = np.cumsum((np.arange(size) + 8.0) ** -exponent)
    return np.searchsorted(mass, rng.random(n) * mass[-1]).clip(max=size - 1)


def _logits(
    ids: dict[str, np.ndarray], numbers: np.ndarray, rng: np.random.Generator
) -> list[np.ndarray]:
    taste = {
        name: rng.normal(size=(size, _RANK)).astype(np.float32)[ids[name]]
        for name, size in CARDINALITIES.items()
    }
    sides = [sum(taste[name] for name in g) / np.sqrt(len(g)) for g in (USER, ITEM, CONTEXT)]
    shared = sum(rng.normal(0, 0.25, size)[ids[name]] for name, size in CARDINALITIES.items())
    logits = []
    for _ in LABELS:
        own = sum(rng.normal(0, 0.2, size)[ids[name]] for name, size in CARDINALITIES.items())
        mix = rng.normal(0, 0.35, (2, _RANK, _RANK))
        match = ((sides[0] @ mix[0]) * sides[1]).sum(1) + ((sides[2] @ mix[1]) * sides[1]).sum(1)
        bend = np.tanh(numbers @ rng.normal(0, 0.5, (8, 8))) @ rng.normal(0, 0.4, 8)
        logits.append(shared + own + match + bend)
    return logits


def _calibrated(logit: np.ndarray, rate: float, among: np.ndarray) -> np.ndarray:
    """Return probabilities whose mean among some rows is the rate."""
    low, high = -20.0, 10.0
    for _ in range(50):
        middle = (low + high) / 2
        mean = (1 / (1 + np.exp(-(logit[among] + middle)))).mean()
        low, high = (low, middle) if mean > rate else (middle, high)
    return 1 / (1 + np.exp(-(logit + low)))


def main() -> None:
    """Write the workload into a folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--train", type=int, default=1_000_000)
    parser.add_argument("--test", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    write(given.folder, given.train, given.test, given.seed)


if __name__ == "__main__":
    main()

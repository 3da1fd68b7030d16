"""The golden run: fifty seeded steps, from a log to losses, must give the numbers on record.

Run twice in one process, single-threaded, the losses agree to the last bit. With the record in
`tests/values/golden.json` they agree to a relative 1e-4: processors differ in the last bits, and
fifty steps of Adam let that grow (with and without vector instructions: 5e-7).

If this fails although nothing was meant to change, something is broken. A change that means to
alter numbers records them anew and says in the changelog which numbers changed, and why:

    python tests/workflows/test_golden.py
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from paretorank.config import load_config
from paretorank.workflows.run_folder import RunFolder
from paretorank.workflows.train import train_run

RECORD = Path(__file__).parents[1] / "values" / "golden.json"
TOLERANCE = 1e-4
N_ROWS, N_STEPS = 1_000, 50
CONFIG = """
[data]
log = "log.parquet"
keys = { user = "user", time = "time" }
split = { by = "time", valid_fraction = 0.1, test_fraction = 0.1 }
[features]
user = { kind = "categorical" }
item = { kind = "categorical" }
tags = { kind = "categorical", multi = true }
price = { kind = "numeric" }
[statistics.user]
of = ["user"]
[tasks.click]
kind = "binary"
label = "click"
[tasks.watch]
kind = "duration"
label = "watch"
observed_when = "click"
[model]
embedding_dim = 4
tower_dims = [8]
[model.architecture]
kind = "mmoe"
n_experts = 3
expert_dims = [16, 8]
[balancer]
kind = "uncertainty"
[training]
batch_size = 80
epochs = 5
learning_rate = 0.01
embedding_learning_rate = 0.01
log_every_steps = 1
tensorboard = false
early_stopping = { patience = 0 }
[evaluation]
n_resamples = 0
"""


def simulated_log() -> pl.DataFrame:
    """Return rows whose labels follow from their inputs; some labels are missing."""
    rng = np.random.default_rng(20)
    user, item = rng.integers(0, 40, N_ROWS), rng.integers(0, 60, N_ROWS)
    price = rng.normal(size=N_ROWS)
    appeal = np.sin(user) + np.cos(2 * item) + 0.5 * price
    watch = np.exp(1.0 + 0.5 * appeal + 0.3 * rng.normal(size=N_ROWS))
    click = (rng.random(N_ROWS) < 1 / (1 + np.exp(-2 * appeal))).astype(int)
    columns = {
        "user": user,
        "item": item,
        "tags": [f"{one % 7},{one % 5}" for one in item],
        "price": np.where(rng.random(N_ROWS) < 0.9, price, np.nan),
        "time": np.arange(N_ROWS) * 600,
        "click": click,
        "watch": watch,
    }
    observed = {name: pl.Series(rng.random(N_ROWS) < 0.8) for name in ("click", "watch")}
    kept = {name: pl.when(is_there).then(name) for name, is_there in observed.items()}
    return pl.DataFrame(columns).with_columns(**kept)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let sums be added up in one order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def golden_run(folder: Path) -> dict[str, list[list[float]]]:
    """Prepare, train, and return losses and task weights of every step, as the log has them."""
    folder.mkdir()
    simulated_log().write_parquet(folder / "log.parquet")
    (folder / "golden.toml").write_text(CONFIG)
    with one_thread():
        train_run(load_config(folder / "golden.toml"), RunFolder(folder / "run"))
    lines = (folder / "run" / "log.jsonl").read_text().splitlines()
    steps: list[Any] = [event for line in lines if (event := json.loads(line))["event"] == "train"]
    return {
        name: [[step[name][task] for task in ("click", "watch")] for step in steps]
        for name in ("loss", "task_weight")
    }


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, list[list[float]]]]:
    folder = tmp_path_factory.mktemp("golden")
    return [golden_run(folder / name) for name in ("one", "two")]


def test_two_runs_in_one_process_agree_to_the_last_bit(
    runs: list[dict[str, list[list[float]]]],
) -> None:
    assert len(runs[0]["loss"]) == N_STEPS
    assert runs[0] == runs[1]


@pytest.mark.parametrize("name", ["loss", "task_weight"])
def test_the_numbers_are_those_on_record(
    runs: list[dict[str, list[list[float]]]], name: str
) -> None:
    recorded = json.loads(RECORD.read_text())[name]
    np.testing.assert_allclose(runs[0][name], recorded, rtol=TOLERANCE, atol=0.0)


def test_something_is_learned_or_the_record_would_prove_little(
    runs: list[dict[str, list[list[float]]]],
) -> None:
    loss = np.array(runs[0]["loss"])
    assert (loss[-10:].mean(axis=0) < loss[:10].mean(axis=0)).all()


def record() -> None:
    """Write the numbers of this machine down."""
    with tempfile.TemporaryDirectory() as scratch:
        numbers = golden_run(Path(scratch) / "run")
    RECORD.write_text(json.dumps(numbers, indent=1) + "\n")


if __name__ == "__main__":
    record()

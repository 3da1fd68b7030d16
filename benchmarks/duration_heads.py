"""Duration losses on a feed whose true mean watch time is known: calibration and order.

    python benchmarks/duration_heads.py [--rows 100000] [--seeds 3] [--epochs 2] [--drift 0]
        [--clicked]

One model per loss and seed predicts nothing but the seconds watched: on all impressions, 0 without
a click, or with --clicked on clicked ones alone. On the test rows its scores are put beside the
true expected seconds of each row, not beside the noisy label: PCOC is the sum of the scores over
that of the truth (1 is perfect, within 3 % is the aim), XAUC the share of pairs in the right order.
"constant" is the mean training label, by chance not quite the truth. To measure the heads and not
how a model ages, the appeal of items does not drift by default, test rows are drawn at random, and
there are no statistics of the past, whose counts are larger on later rows than on any trained on.
"""

import argparse
import os
import statistics
import tempfile
from pathlib import Path
from typing import get_args

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch

import numpy as np
import polars as pl

from paretorank.config import RunConfig, load_config
from paretorank.data.loader import Loader
from paretorank.datasets import FeedConfig, write_feed
from paretorank.evaluation import ScoredRows, evaluate_rows
from paretorank.model import score_batches
from paretorank.tasks import DurationTask
from paretorank.workflows.ingest import prepare
from paretorank.workflows.run_folder import RunFolder
from paretorank.workflows.train import train_run
from paretorank.workflows.twins import twin_config

LOSSES: tuple[str, ...] = get_args(DurationTask.model_fields["loss"].annotation)
CONSTANT, TRUTH = "constant", "the truth"
TOLERANCE = 0.03
SETTINGS = (
    "training.tensorboard=false",
    "training.batch_size=256",
    "data.split.by=random",
    "statistics={}",
)


def load(path: Path, loss: str, arguments: argparse.Namespace) -> RunConfig:
    """Return the configuration of one model for the seconds alone."""
    settings = [*SETTINGS, f"training.epochs={arguments.epochs}", f"tasks.watch.loss={loss}"]
    settings.append("tasks.watch.duration_feature=duration_s")
    if arguments.clicked:
        settings.append("tasks.watch.observed_when=click")
    return load_config(path, settings)


def compare(score: np.ndarray, truth: np.ndarray, config: RunConfig) -> tuple[float, float]:
    """Return PCOC and XAUC of scores against the true means."""
    columns = (score[:, None].astype(np.float32), truth[:, None].astype(np.float32))
    labels = (spec.model_copy(update={"scores_mean": True}) for spec in config.label_specs())
    rows = ScoredRows(tuple(labels), *columns, None, None)
    table = evaluate_rows(rows, n_resamples=0).table
    found = dict(zip(table["metric"].to_list(), table["value"].to_list(), strict=True))
    return found["pcoc"], found["xauc"]


def run_seed(folder: Path, arguments: argparse.Namespace) -> dict[str, tuple]:
    """Return PCOC and XAUC by loss, on one simulated feed."""
    results: dict[str, tuple] = {}
    path = folder / "feed.toml"
    prepared = prepare(load(path, LOSSES[0], arguments))
    test, train = prepared.split("test", ["watch"]), prepared.split("train", ["watch"])
    rows = test.read(0, len(test))
    known = ~np.isnan(rows.labels[:, 0])
    name = "expected_watch_given_click_s" if arguments.clicked else "expected_watch_s"
    truth = pl.read_parquet(folder / "truth.parquet")[name].to_numpy()[rows.row[known]]
    for loss in LOSSES:
        config = twin_config(load(path, loss, arguments), "watch")
        run = train_run(config, RunFolder(folder / "runs" / loss), prepared=prepared)
        batches = Loader(test, batch_size=4096).in_order()
        score = score_batches(run.model, batches)[known, 0]
        results[loss] = compare(score, truth, config)
        print(f"  {loss:<28}{results[loss][0]:8.4f}{results[loss][1]:9.4f}", flush=True)
    mean = float(np.nanmean(train.read(0, len(train)).labels))
    results[CONSTANT] = compare(np.full_like(truth, mean), truth, config)
    results[TRUTH] = compare(truth, truth, config)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description="Duration losses against the true mean.")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--drift", type=float, default=0.0)
    parser.add_argument("--clicked", action="store_true")
    arguments = parser.parse_args()
    found = []
    for seed in range(arguments.seeds):
        print(f"seed {seed}", flush=True)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            feed = FeedConfig(n_rows=arguments.rows, seed=seed, drift_per_day=arguments.drift)
            write_feed(folder, feed)
            found.append(run_seed(folder, arguments))
    print(f"\n{'loss':<28}{'PCOC, mean (range) over seeds':>32}{'XAUC':>9}")
    for loss in (*LOSSES, CONSTANT, TRUTH):
        pcoc, xauc = zip(*(seed[loss] for seed in found), strict=True)
        spread = f"{statistics.mean(pcoc):.4f} ({min(pcoc):.4f} .. {max(pcoc):.4f})"
        verdict = "" if abs(statistics.mean(pcoc) - 1) <= TOLERANCE else "  beyond 3 %"
        print(f"{loss:<28}{spread:>32}{statistics.mean(xauc):9.4f}{verdict}")


if __name__ == "__main__":
    main()

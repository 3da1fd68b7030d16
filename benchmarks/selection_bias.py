"""P(feedback | click) on all impressions, where it is seen on clicked ones only: who is right?

    python benchmarks/selection_bias.py [--rows 100000] [--seeds 5] [--epochs 2] [--click-rate 0.15]

A feed with known truth, where clicks are rare and kin to what follows them. Models that learn the
feedback on clicked rows alone (none), as a joint event on all rows (esmm), or on clicked rows with
weights (escm2) are put beside the true chance of every test impression, clicked or not: KL is the
mean divergence from the truth in 1/1000 nats (0 is perfect), PCOC the sum of the scores over that
of the truth. Differences to "none" are paired by seed, with 95 % intervals.
"""

import argparse
import os
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch

import numpy as np
import polars as pl
from scipy import stats

from paretorank.config import RunConfig, load_config
from paretorank.data.loader import Loader
from paretorank.datasets import FeedConfig, write_feed
from paretorank.datasets.feed_config import FeedRates
from paretorank.model import score_batches
from paretorank.workflows.ingest import Prepared, prepare
from paretorank.workflows.run_folder import RunFolder
from paretorank.workflows.train import train_run

RELATIONS = {
    "none": "{kind='none'}",
    "esmm": "{kind='esmm'}",
    "escm2 ipw": "{kind='escm2', estimator='ipw'}",
    "escm2 dr": "{kind='escm2', estimator='dr'}",
}
FEEDBACK = ("long_view", "like")
SPACES = ("all", "not clicked")
SETTINGS = (
    "training.tensorboard=false",
    "training.batch_size=512",
    "evaluation.n_resamples=0",
    "data.split.by=random",
    "statistics={}",
    *(f"tasks.{name}.observed_when=click" for name in FEEDBACK),
)


def load(path: Path, relation: str, seed: int, epochs: int) -> RunConfig:
    """Return the configuration of one model for the click and what follows it."""
    chosen = [f"model.relations={relation}", f"training.seed={seed}", f"training.epochs={epochs}"]
    config = load_config(path, [*SETTINGS, *chosen])
    tasks = {name: config.tasks[name] for name in ("click", *FEEDBACK)}
    return config.model_copy(update={"tasks": tasks}).at(path)


def divergence(score: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean divergence of scores from true chances, in 1/1000 nats."""
    p, q = truth.clip(1e-9, 1 - 1e-9), score.astype(np.float64).clip(1e-9, 1 - 1e-9)
    return float(1000 * (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).mean())


def measure(run_scores: np.ndarray, truth: pl.DataFrame, clicked: np.ndarray) -> dict[str, float]:
    """Return the measures by task, space and name."""
    found = {}
    for at, task in enumerate(FEEDBACK):
        chance = truth[f"p_{task}_given_click"].to_numpy()
        for space, rows in zip(SPACES, (np.ones(len(chance), bool), ~clicked), strict=True):
            score = run_scores[rows, 1 + at]
            found[f"{task} {space} KL"] = divergence(score, chance[rows])
            found[f"{task} {space} PCOC"] = float(score.sum() / chance[rows].sum())
    return found


def run_seed(seed: int, given: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Return the measures of every relation on one simulated feed."""
    rate = given.click_rate
    rates = FeedRates(click=rate, long_view=rate / 2, like=rate / 8)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        feed = FeedConfig(
            n_rows=given.rows, seed=seed, rates=rates, relatedness=0.8, drift_per_day=0.0
        )
        write_feed(folder, feed)
        path = folder / "feed.toml"
        prepared: Prepared = prepare(load(path, RELATIONS["none"], seed, given.epochs))
        test = prepared.split("test", ["click", *FEEDBACK])
        rows = test.read(0, len(test))
        truth = pl.read_parquet(folder / "truth.parquet")[rows.row]
        found = {}
        for relation, text in RELATIONS.items():
            config = load(path, text, seed, given.epochs)
            run = train_run(config, RunFolder(folder / relation), prepared=prepared)
            scores = score_batches(run.model, Loader(test, batch_size=4096).in_order())
            found[relation] = measure(scores, truth, rows.labels[:, 0] == 1)
        return found


def main() -> None:
    """Print the means, and the paired differences to learning on clicks alone."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--click-rate", type=float, default=0.15)
    given = parser.parse_args()
    runs = [run_seed(seed, given) for seed in range(given.seeds)]
    for measured in runs[0]["none"]:
        print(f"\n{measured}")
        for relation in RELATIONS:
            values = np.array([run[relation][measured] for run in runs])
            gap = values - [run["none"][measured] for run in runs]
            error = stats.sem(gap) * stats.t.ppf(0.975, len(gap) - 1) if len(gap) > 1 else np.nan
            print(f"  {relation:10s} {values.mean():8.4f}   {gap.mean():+8.4f} +- {error:.4f}")


if __name__ == "__main__":
    main()

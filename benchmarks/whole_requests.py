"""What whole requests in a batch save, and what they cost: step time and test AUC.

    python benchmarks/whole_requests.py [--rows 300000] [--rows-per-request 10] [--seeds 3]

The same model on the same log, shuffled row by row, and request by request with the arithmetic of
a request's common columns done once. Steps take turns in one process; printed is the median of the
ratios of their times in the same round. Then both are trained for one epoch with several seeds.
"""

import argparse
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch

import torch
import workload

from paretorank.config import RunConfig, load_config
from paretorank.data.loader import Loader
from paretorank.foundation.memory import keep_freed_memory
from paretorank.training.optimizers import build_optimizers
from paretorank.training.step import backward_step
from paretorank.workflows.ingest import Prepared, prepare
from paretorank.workflows.run_folder import RunFolder
from paretorank.workflows.train import build, train_run

SHUFFLES = ("rows", "requests")
N_BATCHES, STEPS_PER_ROUND = 32, 10


def stepper(config: RunConfig, prepared: Prepared) -> Callable[[int], None]:
    """Return a function that trains on one of some batches in memory."""
    train = prepared.split("train")
    model, balancer = build(config, train)
    optimizers = build_optimizers(config.training, model, balancer)
    weights = torch.ones(len(config.tasks))
    settings = config.training
    loader = Loader(train, batch_size=settings.batch_size, config=settings.loader)
    batches = list(itertools.islice(loader.shuffled(seed=0, epoch=0), N_BATCHES))
    model.train()

    def step(at: int) -> None:
        optimizers.zero_grad()
        backward_step(model, balancer, weights, batches[at % len(batches)], place="step")
        optimizers.step(settings.clip_norm)

    return step


def race(steps: dict[str, Callable[[int], None]], rounds: int) -> list[float]:
    """Return time by rows / time by requests of every round."""
    ratios = []
    for number in range(rounds + 1):
        times = {}
        for name, step in steps.items():
            started = time.perf_counter()
            for at in range(STEPS_PER_ROUND):
                step(number * STEPS_PER_ROUND + at)
            times[name] = time.perf_counter() - started
        ratios.append(times["rows"] / times["requests"])
    return ratios[1:]  # the first round warms up


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--rows-per-request", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        test_rows = given.rows // 5
        workload.write(
            folder, given.rows, test_rows, seed=7, rows_per_request=given.rows_per_request
        )
        for kind in ("mmoe", "shared_bottom"):
            architecture = (
                []
                if kind == "mmoe"
                else ["model.architecture={kind='shared_bottom', hidden_dims=[512, 256]}"]
            )
            configs = {
                shuffle: load_config(
                    folder / "workload.toml",
                    [f"training.loader.shuffle='{shuffle}'", *architecture],
                )
                for shuffle in SHUFFLES
            }
            prepared = prepare(configs["rows"])
            steps = {shuffle: stepper(config, prepared) for shuffle, config in configs.items()}
            ratios = race(steps, given.rounds)
            low, high = min(ratios), max(ratios)
            print(
                f"{kind}: time of a step by rows / by requests "
                f"{statistics.median(ratios):.2f} ({low:.2f} to {high:.2f})",
                flush=True,
            )
        compare_auc(folder, prepared, given.seeds)


def compare_auc(folder: Path, prepared: Prepared, n_seeds: int) -> None:
    """Train one epoch with every seed and print the AUC of both tasks."""
    for shuffle in SHUFFLES:
        found: dict[str, list[float]] = {}
        for seed in range(1, n_seeds + 1):
            settings = [
                f"training.loader.shuffle='{shuffle}'",
                f"training.seed={seed}",
                "evaluation.n_resamples=0",
            ]
            config = load_config(folder / "workload.toml", settings)
            run = train_run(config, RunFolder(folder / f"{shuffle}-{seed}"), prepared=prepared)
            for row in run.result.table.iter_rows(named=True):
                if row["metric"] == "auc":
                    found.setdefault(row["task"], []).append(row["value"])
        for task, values in found.items():
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            print(f"{shuffle:9s} {task:11s} AUC {statistics.mean(values):.4f} +- {spread:.4f}")


if __name__ == "__main__":
    main()

"""Does a step cost more when there are more ids? The same rows, hashed into few or many codes.

    python benchmarks/flat.py [--few 700000] [--many 20000000] [--rounds 9] [--workload FOLDER]

Two models of the same shape take turns in one process, some steps each; printed is the median of
the ratios of their times in the same round. Needs about 5 GB for twenty million ids: the table and
the two moments of its optimizer.
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

from paretorank.config import load_config
from paretorank.data.loader import Loader
from paretorank.training.optimizers import build_optimizers
from paretorank.training.step import backward_step
from paretorank.workflows.ingest import prepare
from paretorank.workflows.train import build

BATCH, N_BATCHES, STEPS_PER_ROUND = 2048, 64, 20


def stepper(folder: Path, n_ids: int, scratch: Path) -> Callable[[int], None]:
    """Return a function that trains on one batch of a model with `n_ids` user and item codes."""
    hashed = f"{{kind='categorical', hash_buckets={n_ids // 2}}}"
    settings = [f"features.user_id={hashed}", f"features.item_id={hashed}"]
    config = load_config(folder / "workload.toml", settings)
    train = prepare(config, scratch / str(n_ids)).split("train")
    model, balancer = build(config, train)
    optimizers = build_optimizers(config.training, model, balancer)
    weights = torch.ones(len(config.tasks))
    loader = Loader(train, batch_size=BATCH)
    batches = list(itertools.islice(loader.shuffled(seed=1, epoch=0), N_BATCHES))
    model.train()

    def step(at: int) -> None:
        optimizers.zero_grad()
        backward_step(model, balancer, weights, batches[at % N_BATCHES], place=f"step {at}")
        optimizers.step(config.training.clip_norm)

    return step


def main() -> None:
    """Print the ratio."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--few", type=int, default=700_000)
    parser.add_argument("--many", type=int, default=20_000_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--workload", type=Path, default=Path("build/bench/workload"))
    given = parser.parse_args()
    if not (given.workload / "workload.toml").exists():
        workload.write(given.workload, 1_000_000, 200_000, seed=7)
    with tempfile.TemporaryDirectory() as scratch:
        steps = [stepper(given.workload, n, Path(scratch)) for n in (given.few, given.many)]
        ratios = []
        for number in range(-1, given.rounds):
            few, many = (_seconds(step, number + 1) for step in steps)
            if number >= 0:  # the first round touches memory for the first time
                ratios.append(many / few)
    print(
        f"a step with {given.many:,} ids takes {statistics.median(ratios):.2f}x "
        f"({min(ratios):.2f} to {max(ratios):.2f}) the time of one with {given.few:,}"
    )


def _seconds(step: Callable[[int], None], number: int) -> float:
    started = time.perf_counter()
    for at in range(STEPS_PER_ROUND):
        step(number * STEPS_PER_ROUND + at)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()

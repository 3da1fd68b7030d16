"""What micro-batches save and cost: memory and time of steps over one large batch.

    python benchmarks/micro_batches.py [--batch 65536] [--sizes 16384 4096] [--tasks 4] [--json]

The log and the model are those of `balance.py`. Every cell is a process of its own: the peak of its
memory while it steps, less what it held before (Linux only), and the median seconds of its steps.
Both relative to the whole batch with the same balancer.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from balance import Competition, configured

from paretorank.foundation.memory import keep_freed_memory
from paretorank.training.optimizers import build_optimizers
from paretorank.training.step import backward_step

BALANCERS = {
    "equal": "equal",
    "upgrad, representation": "upgrad",
    "upgrad, parameters": "upgrad', at='parameters",
}


def status(field: str) -> int:
    """Return a size of this process in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (found,) = (line.split()[1] for line in lines if line.startswith(field))
    return int(found)


def alone(given: argparse.Namespace) -> None:
    kind, size = BALANCERS[given.alone], given.sizes[0]
    competition = Competition(given.folder, given.tasks, given.batch)
    model, batch = competition.model, competition.batches[0]
    config = configured(given.folder, given.tasks, given.batch, kind)
    balancer = config.balancer.build(
        task_names=model.task_names,
        balance_factors=model.heads.balance_factors,
        generator=torch.Generator().manual_seed(0),
    )
    optimizers = build_optimizers(config.training, model, balancer)
    ones, seconds = torch.ones(given.tasks), []
    del competition
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak of reading and building
    before = status("VmRSS")
    for at in range(given.steps):
        started = time.perf_counter()
        optimizers.zero_grad()
        backward_step(
            model, balancer, ones, batch, place=f"step {at}", micro_batch_size=size or None
        )
        optimizers.step(config.training.clip_norm)
        seconds.append(time.perf_counter() - started)
    peak = (status("VmHWM") - before) / 1024
    print(json.dumps({"seconds": statistics.median(seconds), "memory": peak}))


def measured(given: argparse.Namespace, name: str, size: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--folder", str(given.folder), "--sizes", str(size)]
    command += ["--batch", str(given.batch), "--tasks", str(given.tasks), "--alone", name]
    command += ["--steps", str(given.steps)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Print a line per balancer and size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("build/bench"))
    parser.add_argument("--batch", type=int, default=65_536)
    parser.add_argument("--sizes", type=int, nargs="+", default=[16_384, 4_096])
    parser.add_argument("--tasks", type=int, default=4)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--alone", choices=BALANCERS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    given.folder = given.folder.absolute()
    keep_freed_memory()
    if given.alone:
        alone(given)
        return
    report: dict[str, dict[int, dict[str, float]]] = {}
    for name in BALANCERS:
        cells = report.setdefault(name, {})
        for size in (0, *given.sizes):
            cells[size] = measured(given, name, size)
            if not given.json:
                print(line(name, size, cells), flush=True)
    if given.json:
        print(json.dumps(report, indent=1))


def line(name: str, size: int, cells: Mapping[int, Mapping[str, float]]) -> str:
    cell, whole = cells[size], cells[0]
    memory, seconds = (cell[key] / whole[key] for key in ("memory", "seconds"))
    return (
        f"{name:24s} {size or 'whole':>6} rows  {cell['memory']:6.0f} MB ({memory:.2f}x)  "
        f"{cell['seconds']:.2f} s a step ({seconds:.2f}x)"
    )


if __name__ == "__main__":
    main()

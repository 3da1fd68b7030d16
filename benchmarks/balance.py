"""What balancing costs: a step with each kind of balancer, relative to a step of the plain sum.

    python benchmarks/balance.py [--folder build/bench] [--tasks 2 4 8] [--rounds 5] [--json]

The model is the mixture of experts of `speed.py` on the same log, with more tasks made up from its
columns. All balancers step one and the same model in one process, in turns: first the plain sum,
then each of the others, step after step. A round compares medians of its steps; the table shows the
median over rounds, the lowest and highest, and the limit. "diagnosis" is a look at the gradients of
all tasks, shared out over the 200 steps between two. Memory is the peak of a process of its own
while it steps (Linux only). With four tasks two peers, TorchJD and LibMTL, step a plain PyTorch
network of the same shape in the same turns, relative to their own plain sums; LibMTL is installed
into the folder, and said to be absent where that fails. On a machine that has other work to do,
`--clock processor --threads 1` counts the time that a step computed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import polars as pl
import torch
import workload
from balance_table import LOOK, PLAIN, Row, memory_row, shown, time_row
from peers.jacobians import PlainNetwork
from peers.libmtl import libmtl_steps, load_libmtl

from paretorank.config import RunConfig, load_config
from paretorank.data.batch import Batch
from paretorank.data.loader import Loader
from paretorank.foundation.memory import keep_freed_memory
from paretorank.training.diagnosis import diagnose
from paretorank.training.optimizers import Optimizers, build_optimizers
from paretorank.training.step import backward_step
from paretorank.workflows.ingest import prepare
from paretorank.workflows.train import build

BALANCERS = {
    PLAIN: "equal",
    "uncertainty": "uncertainty",
    "dwa": "dwa",
    "upgrad, representation": "upgrad', at='representation",
    "upgrad, parameters": "upgrad', at='parameters",
    "config, parameters": "config', at='parameters",
    "gradnorm": "gradnorm",
}
MADE_UP = tuple(f"like{at}" for at in range(6))
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
PARTS = ("steps", "peers", "memory")
PEER_TASKS = 4
N_BATCHES = 16
WARM_STEPS = 3
Step = Callable[[int], object]


def write_log(folder: Path) -> Path:
    """Write the log with eight labels into a folder of its own, once; return its configuration."""
    own, toml = folder / "balance", folder / "balance" / "workload.toml"
    if toml.exists():
        return toml
    if not (folder / "workload" / "workload.toml").exists():
        workload.write(folder / "workload", 1_000_000, 200_000, seed=7)
    own.mkdir(parents=True, exist_ok=True)
    for part in ("train", "test"):
        log = pl.read_parquet(folder / "workload" / f"{part}.parquet")
        log.with_columns(_made_up(log)).write_parquet(own / f"{part}.parquet")
    tasks = [f'[tasks.{name}]\nkind = "binary"\nlabel = "{name}"' for name in MADE_UP]
    toml.write_text("\n".join([workload.workload_toml(), *tasks]))
    return toml


def _made_up(log: pl.DataFrame) -> list[pl.Series]:
    """Return labels that lean on a column each, and on click."""
    rng = np.random.default_rng(1)
    columns = [log[name].to_numpy() for name in ("item_id", "user_id", "shop", "brand", "hour")]
    labels = []
    for at, name in enumerate(MADE_UP):
        taste = np.sin((at + 1) * columns[at % len(columns)]) + log[f"x{at}"].to_numpy()
        score = taste + log["click"].to_numpy() + rng.normal(size=len(log))
        labels.append(pl.Series(name, (score > 2.0).astype(np.int8)))
    return labels


def configured(folder: Path, n_tasks: int, batch: int, kind: str) -> RunConfig:
    """Return the configuration of the first tasks with a balancer."""
    settings = [f"training.batch_size={batch}", f"balancer={{kind='{kind}'}}"]
    config = load_config(write_log(folder), settings)
    tasks = dict(islice(config.tasks.items(), n_tasks))
    return config.model_copy(update={"tasks": tasks})


class Competition:
    """One model, and everything that may step it."""

    def __init__(self, folder: Path, n_tasks: int, batch: int) -> None:
        self._configured = lambda kind: configured(folder, n_tasks, batch, kind)
        self._config = self._configured("equal")
        whole = load_config(write_log(folder), [])
        self._rows = prepare(whole).split("train", list(self._config.tasks))
        self.model, _ = build(self._config, self._rows)
        self.model.train()
        self._ones = torch.ones(n_tasks)
        self._optimizers = build_optimizers(self._config.training, self.model, torch.nn.Module())
        loader = Loader(self._rows, batch_size=batch)
        self.batches: list[Batch] = list(islice(loader.in_order(), N_BATCHES))

    def look(self, at: int) -> None:
        """Look at the gradients of one batch."""
        diagnose(self.model, self.batches[at % N_BATCHES]).facts(self._ones)

    def step(self, kind: str) -> Step:
        """Return what the trainer does for one batch."""
        config, model = self._configured(kind), self.model
        balancer = config.balancer.build(
            task_names=model.task_names,
            balance_factors=model.heads.balance_factors,
            generator=torch.Generator().manual_seed(0),
        )
        optimizers = self._optimizers
        if any(True for _ in balancer.parameters()):
            own = build_optimizers(config.training, model, balancer).by_name["balancer"]
            optimizers = Optimizers(
                {**optimizers.by_name, "balancer": own}, clipped=optimizers.clipped
            )

        def run(at: int) -> None:
            optimizers.zero_grad()
            batch = self.batches[at % N_BATCHES]
            backward_step(model, balancer, self._ones, batch, place=f"step {at}")
            optimizers.step(config.training.clip_norm)

        return run


def race(
    steps: Mapping[str, Step], n_rounds: int, n_steps: int, clock: Callable[[], float]
) -> list[dict[str, float]]:
    """Return the median seconds of a step, in every round, of everybody in turns."""
    for at in range(WARM_STEPS):
        for step in steps.values():
            step(at)
    rounds = []
    for number in range(n_rounds):
        times: dict[str, list[float]] = {name: [] for name in steps}
        for at in range(number * n_steps, (number + 1) * n_steps):
            for name, step in steps.items():
                started = clock()
                step(at)
                times[name].append(clock() - started)
        rounds.append({name: statistics.median(each) for name, each in times.items()})
    return rounds


def ratios(rounds: Sequence[Mapping[str, float]], plain: str) -> dict[str, list[float]]:
    """Return each name's times relative to the plain sum of the same round."""
    return {name: [each[name] / each[plain] for each in rounds] for name in rounds[0]}


def peak_memory(folder: Path, kind: str, n_tasks: int, batch: int) -> float:
    """Return the largest size in MB of a process while it does some steps."""
    command = [sys.executable, __file__, "--folder", str(folder), "--tasks", str(n_tasks)]
    command += ["--batch", str(batch), "--alone", kind]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    return float(done.stdout)


def _alone(given: argparse.Namespace) -> None:
    (n_tasks,) = given.tasks
    competition = Competition(given.folder, n_tasks, given.batch)
    step = competition.step(given.alone)
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak of reading and building
    for at in range(4):
        step(at)
    status = Path("/proc/self/status").read_text().splitlines()
    (peak,) = (line.split()[1] for line in status if line.startswith("VmHWM"))
    print(int(peak) / 1024)


def main() -> None:
    """Print one table: all numbers of tasks, peers, memory."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("build/bench"))
    parser.add_argument("--tasks", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--balancers", nargs="+", choices=BALANCERS, default=list(BALANCERS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=6, help="of each balancer in a round")
    parser.add_argument("--batch", type=int, default=2048)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    given = parser.parse_args()
    given.folder = given.folder.absolute()
    keep_freed_memory()
    torch.set_num_threads(given.threads)
    if given.alone:
        _alone(given)
        return
    rows = measured(given)
    if given.json:
        print(json.dumps([row.facts() for row in rows], indent=1))
        return
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"batch {given.batch}, {given.threads} threads, {given.clock} clock, load {load}")
    print(f"medians of {given.rounds} rounds of {given.steps} steps, relative to the plain sum")
    print("\n".join(shown(rows)))


def measured(given: argparse.Namespace) -> list[Row]:
    """Return all ratios."""
    names = [PLAIN, *(name for name in given.balancers if name != PLAIN)]
    rows: list[Row] = []
    for n_tasks in given.tasks if given.parts != ["memory"] else []:
        competition = Competition(given.folder, n_tasks, given.batch)
        teams = [{name: competition.step(BALANCERS[name]) for name in names}]
        teams[0][LOOK] = competition.look
        if "peers" in given.parts and n_tasks == PEER_TASKS:
            teams += peers(competition, given.folder)
        everybody = {name: step for team in teams for name, step in team.items()}
        rounds = race(everybody, given.rounds, given.steps, CLOCKS[given.clock])
        for team in teams:
            first = next(iter(team))
            found = ratios([{name: each[name] for name in team} for each in rounds], first)
            rows += [time_row(name, n_tasks, found[name]) for name in team if name != first]
    if "memory" in given.parts:
        most = max(given.tasks)
        sizes = {n: peak_memory(given.folder, BALANCERS[n], most, given.batch) for n in names}
        rows += [memory_row(n, most, size / sizes[PLAIN]) for n, size in sizes.items()][1:]
    return rows


def peers(competition: Competition, folder: Path) -> list[dict[str, Step]]:
    """Return the steps of each peer, its plain sum first."""
    model, batches = competition.model, competition.batches
    teams: list[dict[str, Step]] = [PlainNetwork(model, batches).steps()]
    if load_libmtl(folder / "LibMTL"):
        return [*teams, libmtl_steps(model, batches)]
    print("LibMTL is absent: it could not be installed.", file=sys.stderr)
    return teams


if __name__ == "__main__":
    main()

"""Kill ingests and trainings at random moments; they must end as if nothing had happened.

A small simulated feed is prepared and a tiny model trained once undisturbed. Then the same commands
are started again and again, each killed (`SIGKILL`) at a random moment and started anew: `ingest`
by the same command, `train` with `--resume`. A cycle ends when the command has come to its end; its
files are compared byte for byte with those of the undisturbed run (in the log, seconds and rows per
second aside). After every kill, each file in sight must be readable.

    python benchmarks/soak.py --kills 50 [--seed 1] [--folder FOLDER]

A third of the moments are drawn from the whole life of the process, the others from the time after
it has locked its folder, for it spends most of its life importing. Exits with 3 if a file differs
or cannot be read.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from paretorank.data.shard_format import MANIFEST, Manifest
from paretorank.data.shard_reader import ShardSet
from paretorank.datasets import FeedConfig, write_feed
from paretorank.foundation.errors import ParetorankError
from paretorank.foundation.files import read_json
from paretorank.foundation.lock import LOCK_FILE, lock_beside
from paretorank.training.checkpoint import load_checkpoint

DIFFERENT = 3
FEED = FeedConfig(n_rows=6_000, n_users=100, n_items=300, n_authors=50)
SETTINGS = (
    "model.architecture.kind=mmoe",
    "model.architecture.n_experts=2",
    "model.architecture.expert_dims=[8]",
    "model.tower_dims=[8]",
    "model.embedding_dim=4",
    "data.shard_rows=500",
    "training.batch_size=128",
    "training.epochs=8",
    "training.validations_per_epoch=2",
    "training.checkpoint_every_s=0.001",
    "training.log_every_steps=7",
    "training.early_stopping.patience=0",
    "training.tensorboard=false",
    "evaluation.n_resamples=20",
)
PRELUDE = (sys.executable, "-m", "paretorank")
ONE_IN_WHOLE_LIFE = 3
LONGEST_LIFE_S = 300.0


@dataclass(frozen=True)
class Span:
    """How long an undisturbed process lives."""

    before_lock_s: float
    life_s: float


@dataclass
class Tally:
    """What the kills of one command came to."""

    name: str
    kills: int = 0
    cycles: int = 0
    moments: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


class Subject:
    """One command on one folder: how it is started, and what it must have written at the end."""

    def __init__(self, name: str, config: Path) -> None:
        self.name = name
        self._config = config

    def command(self, folder: Path) -> list[str]:
        """Return the command that begins, or goes on after a kill."""
        settings = [part for setting in SETTINGS for part in ("--set", setting)]
        if self.name == "ingest":
            return [*PRELUDE, "ingest", str(self._config), *settings, "--out", str(folder)]
        begun = (folder / LOCK_FILE).exists() or (folder / "config.toml").exists()
        place = ["--resume" if begun else "--out", str(folder)]
        return [*PRELUDE, "train", str(self._config), *settings, *place]

    def lock(self, folder: Path) -> Path:
        """Return the file that shows when the work begins."""
        return lock_beside(folder) if self.name == "ingest" else folder / LOCK_FILE

    def moment(self, folder: Path) -> str:
        """Say how far a killed process had come, as its files tell."""
        if self.name == "ingest":
            if (folder / MANIFEST).exists():
                return "end"
            new = any(folder.parent.glob(f".{folder.name}.*.ingesting"))
            return "writing" if new else "reading" if self.lock(folder).exists() else "start"
        if not folder.exists():
            return "start"
        if (folder / "scores.parquet").exists():
            return "end"
        last = folder / "checkpoints" / "last.safetensors"
        if not last.exists():
            return "before 1st checkpoint"
        position = load_checkpoint(last).facts["position"]
        return f"epoch {position['epoch'] + 1}"

    def unreadable(self, folder: Path) -> Iterator[str]:
        """Yield what cannot be read; all that a killed process leaves must be whole or absent."""
        for path in visible_files(folder):
            try:
                _read(path)
            except (ParetorankError, ValueError, OSError, pl.exceptions.PolarsError) as error:
                yield f"{path.relative_to(folder)}: {error}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--kills", type=int, default=50, help="half for ingest, half for train")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where to work; a temporary one by default")
    options = parser.parse_args(arguments)
    rng = np.random.default_rng(options.seed)
    shares = {"ingest": options.kills // 2, "train": options.kills - options.kills // 2}
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        config = write_feed(Path(scratch), FEED)
        started = time.monotonic()
        tallies = [
            soak(Subject(name, config), Path(scratch), n_kills, rng)
            for name, n_kills in shares.items()
        ]
        report(tallies, time.monotonic() - started)
    return DIFFERENT if any(tally.faults for tally in tallies) else 0


def soak(subject: Subject, scratch: Path, n_kills: int, rng: np.random.Generator) -> Tally:
    """Kill a command so many times, over as many cycles as that takes."""
    # The data that trainings start from is prepared by the undisturbed run.
    straight = scratch / ("feed.prepared" if subject.name == "ingest" else "straight")
    span = measure(subject.command(straight), subject.lock(straight))
    expected = contents(straight)
    tally = Tally(subject.name)
    folder = scratch / f"{subject.name}-0"
    while tally.kills < n_kills or folder.exists() or subject.lock(folder).exists():
        last = tally.kills >= n_kills
        if not killed(
            subject.command(folder), subject.lock(folder), None if last else span, rng, tally
        ):
            tally.faults += differences(expected, contents(folder), folder.name)
            tally.cycles += 1
            folder = scratch / f"{subject.name}-{tally.cycles}"
            continue
        tally.kills += 1
        tally.faults += [f"{folder.name}: {fault}" for fault in subject.unreadable(folder)]
        moment = "unreadable" if tally.faults else subject.moment(folder)
        tally.moments[moment] += 1
        print(f"{subject.name:8} kill {tally.kills:3}  {moment}", flush=True)
        if tally.faults:
            break
    return tally


def measure(command: Sequence[str], lock: Path) -> Span:
    """Run a command to its end and say how long it took, and how long to its lock."""
    started, locked = time.monotonic(), 0.0
    process = start(command)
    while process.poll() is None:
        if not locked and lock.exists():
            locked = time.monotonic() - started
        time.sleep(0.002)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}\nended with {process.returncode}")
    return Span(locked, time.monotonic() - started)


def killed(
    command: Sequence[str],
    lock: Path,
    span: Span | None,
    rng: np.random.Generator,
    tally: Tally,
) -> bool:
    """Start a command and kill it at a random moment; return whether that came in time."""
    whole = span is not None and rng.integers(ONE_IN_WHOLE_LIFE) == 0
    before = lock.stat().st_mtime_ns if lock.exists() else 0
    process = start(command)
    try:
        if span is None:
            process.wait(LONGEST_LIFE_S)
        elif whole:
            wait(process, span.life_s * rng.random())
        else:
            await_lock(process, lock, before)
            wait(process, (span.life_s - span.before_lock_s) * rng.random())
    finally:
        in_time = process.poll() is None
        process.kill()
        process.wait()
    if not in_time and process.returncode:
        tally.faults.append(f"{' '.join(command[2:4])} ended with {process.returncode}")
    return in_time


def start(command: Sequence[str]) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603 - ours


def wait(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    """Wait for the end of a process, but not longer than that."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def await_lock(process: "subprocess.Popen[bytes]", lock: Path, before: int) -> None:
    """Wait until a process has written its name into the lock file, or is gone."""
    while process.poll() is None:
        if lock.exists() and lock.stat().st_mtime_ns != before and lock.stat().st_size:
            return
        time.sleep(0.002)


def visible_files(folder: Path) -> list[Path]:
    """Return the files that count: what begins with a dot is nobody's result."""
    found = folder.rglob("*") if folder.exists() else ()
    return sorted(path for path in found if path.is_file() and not path.name.startswith("."))


def contents(folder: Path) -> dict[str, str]:
    """Return the digest of every file in a folder; of the log, without how long things took."""
    return {str(path.relative_to(folder)): _digest(path) for path in visible_files(folder)}


def differences(expected: dict[str, str], found: dict[str, str], where: str) -> list[str]:
    """Name the files that are missing, too many, or other than expected."""
    names = sorted(expected.keys() | found.keys())
    return [f"{where}: {name} differs" for name in names if expected.get(name) != found.get(name)]


def report(tallies: Sequence[Tally], seconds: float) -> None:
    """Print the table."""
    print(f"\n{'command':8} {'kills':>5} {'cycles':>6} {'faults':>6}  killed at")
    for tally in tallies:
        moments = ", ".join(f"{name}: {n}" for name, n in sorted(tally.moments.items()))
        faults = len(tally.faults)
        print(f"{tally.name:8} {tally.kills:5} {tally.cycles:6} {faults:6}  {moments}")
    for tally in tallies:
        for fault in tally.faults:
            print(f"  {tally.name}: {fault}")
    good = not any(tally.faults for tally in tallies)
    verdict = "every file is the one of the undisturbed run" if good else "NOT THE SAME"
    print(f"{sum(tally.kills for tally in tallies)} kills in {seconds:.0f} s: {verdict}")


def _read(path: Path) -> None:
    match path.suffix:
        case ".safetensors":
            load_checkpoint(path)
        case ".json":
            read_json(path)
        case ".jsonl":
            for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
                if line.endswith("\n"):  # the last line may be cut off
                    json.loads(line)
        case ".parquet":
            pl.read_parquet(path)
        case ".npy":
            np.load(path, allow_pickle=False)
    if path.name == MANIFEST:
        for split in ("train", "valid", "test"):
            ShardSet(path.parent, Manifest.read(path.parent), split).verify()


def _digest(path: Path) -> str:
    content = path.read_bytes()
    if path.suffix == ".jsonl":
        events = [json.loads(line) for line in content.splitlines()]
        for event in events:
            for name in ("seconds", "rows_per_s"):
                event.get("report", {}).pop(name, None)
        content = json.dumps(events).encode()
    return hashlib.blake2b(content).hexdigest()


if __name__ == "__main__":
    sys.exit(main())

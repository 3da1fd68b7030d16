"""Damaged configurations and files: each must work or be refused by name, and soon.

    python benchmarks/fuzz.py [--toml 5000] [--files 500] [--seed 0] [--limit 20]

Mutates valid configurations, Parquet logs and prepared data sets, and reads them in a process of
its own, so that a crash or a hang of the reader is an outcome too. Prints a table of outcomes and
the first case of each that is not allowed; exits with 3 if there is one.
"""

import argparse
import multiprocessing
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from fuzz_files import FileReader, file_cases
from fuzz_toml import TomlReader, toml_cases
from fuzz_workload import write_workload

from paretorank.foundation.errors import ParetorankError

BROKEN = 3
START_LIMIT_S = 120.0
STORY_LINES = 5
Case = tuple[str, bytes]
"""What is mutated (kind of case), and the mutated content."""
Reader = Callable[[str, bytes], None]


@dataclass
class Outcomes:
    """How often each kind of case ended how, and how long the slowest took."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    slowest_s: dict[str, float] = field(default_factory=dict)
    broken: dict[str, tuple[int, str]] = field(default_factory=dict)

    def add(self, index: int, kind: str, outcome: str, seconds: float, story: str) -> None:
        """Count one case; a story tells what must not happen."""
        self.counts[kind, outcome] += 1
        self.slowest_s[kind] = max(seconds, self.slowest_s.get(kind, 0.0))
        if story:
            self.broken.setdefault(f"{kind}: {outcome}", (index, story))


class Worker:
    """A process that reads one case after another; it is replaced when it crashes or hangs."""

    def __init__(self, folder: Path, limit_s: float) -> None:
        self._folder = folder
        self._limit_s = limit_s
        self._start()

    def read(self, kind: str, content: bytes) -> tuple[str, str]:
        """Return the outcome, and a traceback where it is not allowed."""
        self._pipe.send((kind, content))
        if not self._pipe.poll(self._limit_s):
            self._restart()
            return "hang", f"no answer in {self._limit_s:g} s"
        try:
            outcome: tuple[str, str] = self._pipe.recv()
        except EOFError:
            self._process.join()
            code = self._process.exitcode
            self._restart()
            return "crash", f"exit code {code}"
        return outcome

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()

    def _restart(self) -> None:
        self.close()
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=work, args=(theirs, self._folder), daemon=True)
        self._process.start()
        theirs.close()
        if not self._pipe.poll(START_LIMIT_S):
            raise RuntimeError("the reading process does not start")
        self._pipe.recv()


def work(pipe: Connection, folder: Path) -> None:
    """Read cases until the pipe is closed."""
    readers: dict[str, Reader] = {"toml": TomlReader(folder), "files": FileReader(folder)}
    pipe.send("ready")
    while True:
        try:
            kind, content = pipe.recv()
        except EOFError:
            return
        pipe.send(
            outcome_of(readers["toml" if kind.startswith("toml") else "files"], kind, content)
        )


def outcome_of(read: Reader, kind: str, content: bytes) -> tuple[str, str]:
    """Return the name of what happened, and a traceback if it must not happen."""
    try:
        read(kind, content)
    except ParetorankError as error:
        complete = bool(str(error)) and bool(error.hint)
        return (type(error).__name__, "") if complete else ("no hint", str(error))
    except BaseException as error:  # noqa: BLE001 - Polars panics, which is no Exception
        return type(error).__name__, traceback.format_exc(limit=-STORY_LINES)
    return "read", ""


def fuzz(folder: Path, n_toml: int, n_files: int, seed: int, limit_s: float) -> Outcomes:
    """Read all cases and count how they end."""
    outcomes = Outcomes()
    toml, log = write_workload(folder)
    generator = np.random.default_rng(seed)
    worker = Worker(folder, limit_s)
    cases: Iterable[Case] = [
        *toml_cases(toml, n_toml, generator),
        *file_cases(log, folder, n_files, generator),
    ]
    for index, (kind, content) in enumerate(cases):
        begin = time.perf_counter()
        outcome, story = worker.read(kind, content)
        outcomes.add(index, kind, outcome, time.perf_counter() - begin, story)
    worker.close()
    return outcomes


def show(outcomes: Outcomes) -> None:
    """Print the table and the first case of each outcome that is not allowed."""
    names = sorted({outcome for _, outcome in outcomes.counts})
    print("".join(f"{cell:>15}" for cell in ("mutated", "cases", *names, "slowest s")))
    for kind in sorted(outcomes.slowest_s):
        counts = [outcomes.counts[kind, name] for name in names]
        cells = (kind, sum(counts), *counts, f"{outcomes.slowest_s[kind]:.2f}")
        print("".join(f"{cell:>15}" for cell in cells))
    for name, (index, story) in outcomes.broken.items():
        print(f"\nnot allowed: {name} (case {index})\n{story}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--toml", type=int, default=5_000, help="mutated configurations")
    parser.add_argument("--files", type=int, default=500, help="mutated Parquet and shard files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=20.0, help="seconds per case")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcomes = fuzz(Path(folder), options.toml, options.files, options.seed, options.limit)
    show(outcomes)
    if outcomes.broken:
        sys.exit(BROKEN)


if __name__ == "__main__":
    main()

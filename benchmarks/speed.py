"""Steps of paretorank and of its peers, in turns on one machine: ratios that anybody can check.

    python benchmarks/speed.py [--rounds 7] [--batch 2048] [--environments build/bench] [--json]

Makes the workload and, for each peer, a virtual environment with the pinned release. Then all
competitors take turns, some steps each; the table shows the median over rounds of our speed divided
by the peer's in the same round. "matrix products" is no peer but the bound: the products of a step
and nothing else, so that our ratio is the share of the machine's rate of multiplication. Absolute
speeds are printed for orientation only.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import workload

HERE = Path(__file__).parent
PEERS = {"torch-rechub": "torch-rechub==0.9.0", "DeepCTR-Torch": "deepctr-torch==0.3.0"}
PROGRAMS = {
    "paretorank": "paretorank_steps.py",
    "torch-rechub": "rechub.py",
    "DeepCTR-Torch": "deepctr.py",
    "matrix products": "products.py",
}
MODELS = ("mmoe", "ple", "shared_bottom")
LACKING = {"ple": ("DeepCTR-Torch",)}
"""Its PLE ends with an error in the release that is installed."""


class Competitor:
    """A process that runs some steps whenever it is told to."""

    def __init__(self, python: Path, program: str, folder: Path, model: str, batch: int) -> None:
        path = HERE / "peers" / program
        self._process = subprocess.Popen(  # noqa: S603 - our own programs
            [python, path, folder, model, str(batch)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
        self._read()

    def turn(self) -> float:
        """Run some steps; return rows per second."""
        pipe = self._pipe(self._process.stdin)
        pipe.write("go\n")
        pipe.flush()
        return self._read()["rows_per_s"]

    def close(self) -> None:
        """End the process."""
        self._pipe(self._process.stdin).close()
        self._process.wait(timeout=60)

    def _read(self) -> dict[str, float]:
        for line in self._pipe(self._process.stdout):
            if line.startswith("@"):
                return json.loads(line[1:])
        raise SystemExit(f"{self._process.args} ended without an answer")

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        if pipe is None:
            raise SystemExit("no pipe")
        return pipe


def environment(folder: Path, requirement: str) -> Path:
    """Return the Python of an environment that has the requirement, made if need be."""
    python = folder / "bin" / "python"
    if not (folder / ".installed").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)  # noqa: S603
        needs = ["torch>=2.10,<2.14", requirement, "requests", "pyarrow"]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *needs], check=True)  # noqa: S603
        (folder / ".installed").touch()
    return python


def prepare_workload(folder: Path) -> None:
    """Make the workload once."""
    if not (folder / "workload.toml").exists():
        workload.write(folder, 1_000_000, 200_000, seed=7)
    (folder / "cardinalities.json").write_text(json.dumps(workload.CARDINALITIES))


def race(
    pythons: Mapping[str, Path], folder: Path, model: str, batch: int, rounds: int
) -> dict[str, list[float]]:
    """Return rows per second of every competitor in every round."""
    competitors = {
        name: Competitor(python, PROGRAMS[name], folder, model, batch)
        for name, python in pythons.items()
        if name not in LACKING.get(model, ())
    }
    speeds: dict[str, list[float]] = {name: [] for name in competitors}
    for _ in range(rounds):
        for name, competitor in competitors.items():
            speeds[name].append(competitor.turn())
    for competitor in competitors.values():
        competitor.close()
    return speeds


def main() -> None:
    """Print one table per model."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--batch", type=int, default=2048)
    parser.add_argument("--environments", type=Path, default=Path("build/bench"))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    root = given.environments.absolute()
    prepare_workload(root / "workload")
    pythons = dict.fromkeys(("paretorank", "matrix products"), Path(sys.executable))
    pythons |= {name: environment(root / name, need) for name, need in PEERS.items()}
    report = {}
    for model in given.models:
        speeds = race(pythons, root / "workload", model, given.batch, given.rounds)
        ratios = {
            peer: [ours / theirs for ours, theirs in zip(speeds["paretorank"], values, strict=True)]
            for peer, values in speeds.items()
        }
        report[model] = {"rows_per_s": speeds, "ratio": ratios}
        if not given.json:
            print(f"\n{model}, batch {given.batch}: our speed / theirs, and rows per second")
            for peer, values in ratios.items():
                low, middle, high = min(values), statistics.median(values), max(values)
                speed = statistics.median(speeds[peer])
                print(f"  {peer:16s} {middle:5.2f}x ({low:.2f} to {high:.2f})   {speed:9,.0f}")
    if given.json:
        print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()

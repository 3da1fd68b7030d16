"""The whole road, from Parquet files to test AUC: paretorank's two commands against the peers.

    python benchmarks/road.py [--rows 1000000] [--seeds 3] [--environments build/bench] [--json]

Same rows, same model, one epoch, default threads, none of which spins while it waits. Every road is
processes of its own that read the files, prepare them as the peer's documentation tells (whole
numbers are label-encoded over all rows; the numeric columns stay as they are), train, and evaluate
on the test rows. torch-rechub and paretorank also score the validation rows, DeepCTR-Torch has no
metrics while it trains, which is faster than its documentation's way. Competitors run in turns
within a seed, so that ratios within a seed hold although the machine's speed drifts; differences
of AUC are paired by seed. Seconds of cores tell more than seconds while others use the machine.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import workload
from speed import PEERS, environment

HERE = Path(__file__).parent
OURS = "paretorank"
DRIVERS = {"torch-rechub": "rechub_road.py", "DeepCTR-Torch": "deepctr_road.py"}


def main() -> None:
    """Print ratios of times and differences of AUC."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="training rows; test: a fifth")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--environments", type=Path, default=Path("build/bench"))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    root = given.environments.absolute()
    folder = root / f"road-{given.rows}"
    if not (folder / "workload.toml").exists():
        workload.write(folder, given.rows, given.rows // 5, seed=7)
    pythons = {name: environment(root / name, need) for name, need in PEERS.items()}
    roads: dict[str, list[dict]] = {name: [] for name in [OURS, *DRIVERS]}
    for seed in range(1, given.seeds + 1):
        for name, outcomes in roads.items():
            out = folder / f"{name}-{seed}"
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            before = _core_seconds()
            outcomes.append(
                _ours(folder, seed, out)
                if name == OURS
                else _theirs(pythons[name], DRIVERS[name], folder, seed, out)
            )
            outcomes[-1]["core_s"] = _core_seconds() - before
            if not given.json:
                print(f"seed {seed} {name}: {_line(outcomes[-1])}", flush=True)
            shutil.rmtree(out)
    if given.json:
        print(json.dumps(roads, indent=1))
    else:
        _report(roads)


def _ours(folder: Path, seed: int, out: Path) -> dict:
    """Prepare and train with the two commands that a user types."""
    config = folder / "workload.toml"
    prepared = config.with_suffix(".prepared")
    shutil.rmtree(prepared, ignore_errors=True)
    started = time.perf_counter()
    _paretorank("ingest", config)
    ingested = time.perf_counter()
    _paretorank("train", config, "--set", f"training.seed={seed}", "--out", out / "run")
    ended = time.perf_counter()
    shutil.rmtree(prepared)
    records = json.loads((out / "run" / "metrics.json").read_text())
    auc = {r["task"]: r["value"] for r in records if r["metric"] == "auc"}
    events = [json.loads(line) for line in (out / "run" / "log.jsonl").read_text().splitlines()]
    fit = events[-1]["report"]["seconds"]
    stages = {"prepare": ingested - started, "train": fit, "rest": ended - ingested - fit}
    return {"auc": auc, "seconds": stages, "total": ended - started}


def _theirs(python: Path, driver: str, folder: Path, seed: int, out: Path) -> dict:
    started = time.perf_counter()
    _run([python, HERE / "peers" / driver, folder, str(seed), out])
    total = time.perf_counter() - started
    outcome = json.loads((out / "road.json").read_text())
    outcome["seconds"]["rest"] = total - sum(outcome["seconds"].values())
    return {**outcome, "total": total}


def _core_seconds() -> float:
    """Return the seconds of cores that all ended competitors have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _paretorank(*words: object) -> None:
    _run([sys.executable, "-m", "paretorank", *words])


def _run(command: Sequence[object]) -> None:
    # Threads that wait must not spin: on a shared machine that would slow down the spinner.
    quiet = {**os.environ, "PYTHONWARNINGS": "ignore", "OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(  # noqa: S603 - our own programs
        [str(word) for word in command], capture_output=True, text=True, check=False, env=quiet
    )
    if done.returncode:
        words = " ".join(map(str, command))
        raise SystemExit(f"{words} ended with {done.returncode}:\n{done.stderr[-2000:]}")


def _line(outcome: Mapping) -> str:
    auc = ", ".join(f"{task} {value:.4f}" for task, value in outcome["auc"].items())
    stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in outcome["seconds"].items())
    times = f"{outcome['total']:.1f} s, {outcome['core_s']:.1f} s of cores"
    return f"{times} ({stages}), AUC {auc}"


def _report(roads: Mapping[str, Sequence[Mapping]]) -> None:
    ours = roads[OURS]
    print(
        "\nPeer / ours, median over seeds (range): time, time of cores; our AUC - theirs ± spread"
    )
    for peer in DRIVERS:
        pairs = list(zip(ours, roads[peer], strict=True))
        times = " ".join(
            _ratio([theirs[clock] / mine[clock] for mine, theirs in pairs])
            for clock in ("total", "core_s")
        )
        gaps = [
            f"{task} {_mean_and_spread([m['auc'][task] - t['auc'][task] for m, t in pairs])}"
            for task in workload.LABELS
        ]
        print(f"  {peer:16s} {times}   {', '.join(gaps)}")
    print("\nTest AUC, mean over seeds ± standard deviation, and median seconds of each stage")
    for name, outcomes in roads.items():
        auc = [
            f"{task} {_mean_and_spread([o['auc'][task] for o in outcomes])}"
            for task in workload.LABELS
        ]
        stages = ", ".join(
            f"{stage} {statistics.median(o['seconds'][stage] for o in outcomes):.1f}"
            for stage in outcomes[0]["seconds"]
        )
        print(f"  {name:16s} {', '.join(auc)}   {stages}")


def _ratio(values: Sequence[float]) -> str:
    return f"{statistics.median(values):5.2f}x ({min(values):.2f} to {max(values):.2f})"


def _mean_and_spread(values: Sequence[float]) -> str:
    spread = statistics.stdev(values) if len(values) > 1 else float("nan")
    return f"{statistics.mean(values):+.4f} ± {spread:.4f}"


if __name__ == "__main__":
    main()

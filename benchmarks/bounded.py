"""Does memory grow with the log? Ingest and one epoch of training of a short and of a long log.

    python benchmarks/bounded.py [--rows 5000000 20000000] [--statistics] [--folder build/bounded]

Every command is a process of its own; read from /proc are its highest resident memory (VmHWM), the
part of it that is the process's own (anonymous), and the part that is pages of mapped files. The
model is a small one in large batches, since memory for rows is what is asked. The split is by
time. Disk: 0.3 kB a row.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import long_log
from workload import CARDINALITIES, LABELS, NUMBERS

_STATISTICS = {
    "user": '["user_id"]',
    "item": '["item_id"]',
    "user_scene": '["user_id", "scene"]',
}
_POLL_S = 0.05


def configuration(*, statistics: bool) -> str:
    """Return a configuration for the long log."""
    features = [f'{name} = {{ kind = "categorical" }}' for name in CARDINALITIES]
    features += [f'{name} = {{ kind = "numeric" }}' for name in NUMBERS]
    tasks = [f'[tasks.{name}]\nkind = "binary"\nlabel = "{name}"' for name in LABELS]
    past = [f"{name} = {{ of = {of} }}" for name, of in _STATISTICS.items()] if statistics else []
    return "\n".join(
        [
            '[data]\nlog = "log"',
            '[data.keys]\nuser = "user_id"\nitem = "item_id"\ntime = "time_s"',
            '[data.split]\nby = "time"\nvalid_fraction = 0.01\ntest_fraction = 0.01',
            "[features]",
            *features,
            "[statistics]",
            *past,
            *tasks,
            "[model]\nwide = false\nembedding_dim = 8\ntower_dims = []",
            '[model.architecture]\nkind = "shared_bottom"\nhidden_dims = [32]',
            "[training]\nbatch_size = 8192\nepochs = 1\ntensorboard = false\n",
            "[evaluation]\nn_resamples = 0\n",
        ]
    )


def watch(command: Sequence[object]) -> dict[str, float]:
    """Run a command; return seconds, seconds of cores, and in MB peaks of kinds of memory."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started, peaks = time.perf_counter(), {"RssAnon": 0, "RssFile": 0, "VmHWM": 0}
    words = [str(word) for word in command]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:  # noqa: S603
        while process.poll() is None:
            for name, size in _memory(process.pid).items():
                if name in peaks:
                    peaks[name] = max(peaks[name], size)
            time.sleep(_POLL_S)
        if process.returncode:
            message = process.stderr.read().decode() if process.stderr else ""
            raise SystemExit(f"{words} failed:\n{message[-2000:]}")
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "busy": busy} | {name: size / 1024 for name, size in peaks.items()}


def _memory(process: int) -> dict[str, int]:
    """Return the lines of /proc/N/status that are in kB."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    words = [line.split() for line in lines if line.endswith(" kB")]
    return {name.rstrip(":"): int(size) for name, size, _ in words}


def main() -> None:
    """Print one line per size and command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[5_000_000, 20_000_000])
    parser.add_argument("--statistics", action="store_true", help="with three target statistics")
    parser.add_argument("--only-ingest", action="store_true")
    parser.add_argument("--folder", type=Path, default=Path("build/bounded"))
    parser.add_argument("--keep", action="store_true", help="leave the logs there")
    given = parser.parse_args()
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    for n_rows in given.rows:
        folder = given.folder / str(n_rows)
        if not (folder / "log").exists():
            long_log.write(folder, n_rows)
        config = folder / "long.toml"
        config.write_text(configuration(statistics=given.statistics))
        commands = {"ingest": ["ingest", config, "--force"]}
        if not given.only_ingest:
            run = folder / "run"
            shutil.rmtree(run, ignore_errors=True)
            commands["train"] = ["train", config, "--out", run]
        for name, words in commands.items():
            seen = watch([sys.executable, "-m", "paretorank", *words])
            print(
                f"{n_rows:,} rows, {name}: {seen['VmHWM']:,.0f} MB at most ("
                f"own {seen['RssAnon']:,.0f}, mapped files {seen['RssFile']:,.0f}), "
                f"{seen['seconds']:.1f} s, {n_rows / seen['seconds']:,.0f} rows/s; "
                f"{n_rows / seen['busy']:,.0f} rows per second of one core",
                flush=True,
            )
            if name == "train":
                events = (run / "log.jsonl").read_text().splitlines()
                report = json.loads(events[-1])["report"]
                print(f"  epoch alone: {report['rows_per_s']:,.0f} rows/s", flush=True)
        shutil.rmtree(folder / "long.prepared", ignore_errors=True)
        shutil.rmtree(folder / "run", ignore_errors=True)
        if not given.keep:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()

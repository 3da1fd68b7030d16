"""Does a window of blocks shuffle as well as a permutation of all rows? On a log that drifts.

    python benchmarks/shuffle.py [--rows 600000] [--seeds 3] [--drift 0.5] [--folder build/shuffle]

The log is in time order and the effects of all values turn while it runs; the last rows are for
validation and test. The same model is trained one epoch with several ways to shuffle; printed is
the test AUC of each, and its difference from that of the full permutation, paired by seed. The
window is 1/37 of the rows, as the default one is of ten million; `one block` is the control: each
batch comes from one stretch of time.
"""

import argparse
import os
import shutil
import statistics
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch

import long_log
from workload import CARDINALITIES, LABELS, NUMBERS

from paretorank.config import load_config
from paretorank.workflows.ingest import Prepared, prepare
from paretorank.workflows.run_folder import RunFolder
from paretorank.workflows.train import train_run

FULL = "full permutation"
_PART = 600


def configuration() -> str:
    """Return a configuration for the long log."""
    features = [f'{name} = {{ kind = "categorical" }}' for name in CARDINALITIES]
    features += [f'{name} = {{ kind = "numeric", encoding = "none" }}' for name in NUMBERS]
    tasks = [f'[tasks.{name}]\nkind = "binary"\nlabel = "{name}"' for name in LABELS]
    return "\n".join(
        [
            '[data]\nlog = "log"\n[data.keys]\ntime = "time_s"',
            '[data.split]\nby = "time"\nvalid_fraction = 0.02\ntest_fraction = 0.15',
            "[features]",
            *features,
            *tasks,
            "[model]\nwide = false\nembedding_dim = 8\ntower_dims = [32]",
            '[model.architecture]\nkind = "shared_bottom"\nhidden_dims = [64]',
            "[training]\nbatch_size = 1024\nepochs = 1\ntensorboard = false",
            '[training.schedule]\nkind = "constant"\nwarmup_fraction = 0.0',
            "[evaluation]\nn_resamples = 0\n",
        ]
    )


def ways(n_rows: int) -> dict[str, tuple[int, int]]:
    """Return rows of a block and blocks of a window by name."""
    block = max(1, n_rows // _PART)
    return {
        FULL: (block, 10 * _PART),
        "window of 16 blocks": (block, 16),
        "window of 4 blocks": (block, 4),
        "one block": (16 * block, 1),
    }


def auc(folder: Path, prepared: Prepared, block: int, window: int, seed: int) -> dict[str, float]:
    """Train once; return the test AUC of each task."""
    settings = [
        f"training.seed={seed}",
        f"training.loader.block_rows={block}",
        f"training.loader.window_blocks={window}",
    ]
    run = RunFolder(folder / "run")
    shutil.rmtree(run.path, ignore_errors=True)
    result = train_run(load_config(folder / "log.toml", settings), run, prepared=prepared).result
    return {task: result.value(task, "auc") for task in LABELS}


def main() -> None:
    """Print one line per way to shuffle."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=600_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--drift", type=float, default=0.5)
    parser.add_argument("--folder", type=Path, default=Path("build/shuffle"))
    given = parser.parse_args()
    shutil.rmtree(given.folder, ignore_errors=True)
    long_log.write(given.folder, given.rows, drift=given.drift)
    (given.folder / "log.toml").write_text(configuration())
    prepared = prepare(load_config(given.folder / "log.toml"))
    found = {
        name: [auc(given.folder, prepared, *way, seed) for seed in range(1, given.seeds + 1)]
        for name, way in ways(given.rows).items()
    }
    print(f"test AUC over {given.seeds} seeds, and the difference from a {FULL}")
    for name, outcomes in found.items():
        words = []
        for task in LABELS:
            values = [outcome[task] for outcome in outcomes]
            gaps = [v - o[task] for v, o in zip(values, found[FULL], strict=True)]
            words.append(
                f"{task} {statistics.mean(values):.4f} ± {statistics.stdev(values):.4f} "
                f"({statistics.mean(gaps):+.4f} ± {statistics.stdev(gaps):.4f})"
            )
        print(f"  {name:20s} {',  '.join(words)}")
    shutil.rmtree(given.folder)


if __name__ == "__main__":
    main()

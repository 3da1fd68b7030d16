"""The deep models on KuaiRand with the settings that the adapter writes: no tuning.

    paretorank data get kuairand --from FOLDER --out DATA
    python benchmarks/kuairand.py DATA --seeds 5 [--models mmoe shared_bottom twins ...] [--json]

Prints test AUC per task, GAUC of click and long view, and XAUC of the play time, mean and standard
deviation over seeds. `gbdt_kuairand.py` is the baseline on the same rows.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch

import numpy as np

from paretorank.config import RunConfig, load_config
from paretorank.evaluation import EvaluationResult
from paretorank.workflows.ingest import Prepared, prepare
from paretorank.workflows.run_folder import RunFolder
from paretorank.workflows.train import train_run
from paretorank.workflows.twins import twin_config

FIGURES = (
    ("click", "auc"),
    ("long_view", "auc"),
    ("like", "auc"),
    ("profile_enter", "auc"),
    ("click", "gauc"),
    ("long_view", "gauc"),
    ("play_time", "xauc"),
)
AFTER_CLICK = [f"tasks.{name}.parent=click" for name in ("long_view", "like", "profile_enter")]
"""What relations need. A few likes and visits happen without a click; they count as none there."""
MODELS = {
    "as written": [],
    "shared_bottom": ["model.architecture.kind=shared_bottom"],
    "omoe": ["model.architecture.kind=omoe"],
    "mmoe": ["model.architecture.kind=mmoe"],
    "attention_mmoe": ["model.architecture.kind=attention_mmoe"],
    "cross_stitch": ["model.architecture.kind=cross_stitch"],
    "dselect_k": ["model.architecture.kind=dselect_k"],
    "cgc": ["model.architecture.kind=cgc"],
    "ple": ["model.architecture.kind=ple"],
    "adatt": ["model.architecture.kind=adatt"],
    "home": ["model.architecture.kind=home"],
    "stem": ["model.architecture.kind=stem"],
    "pepnet": ["model.architecture={kind='pepnet', prior=['user_id', 'video_id']}"],
    "esmm": ["model.relations.kind=esmm", *AFTER_CLICK],
    "escm2": ["model.relations.kind=escm2", *AFTER_CLICK],
    "aitm": ["model.relations.kind=aitm", *AFTER_CLICK],
    "dbmtl": ["model.relations.kind=dbmtl", *AFTER_CLICK],
    "parent_logit": ["model.relations.kind=parent_logit", *AFTER_CLICK],
    "no statistics": ["statistics={}"],
    "equal weights": ["balancer={kind='equal'}"],
    "no wide part": ["model.wide=false"],
}
QUIET = ["training.tensorboard=false", "evaluation.n_resamples=0"]


def main() -> None:
    """Print one line per model."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="what `paretorank data get kuairand` wrote")
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds")
    parser.add_argument(
        "--models",
        nargs="+",
        default=["as written"],
        metavar="MODEL",
        choices=[*MODELS, "twins", "all"],
        help=f"{', '.join(MODELS)}, twins, all",
    )
    parser.add_argument("--set", nargs="*", default=[], help="settings, such as training.epochs=1")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    names = [*MODELS, "twins"] if "all" in given.models else given.models
    table = {}
    for name in names:
        runs = np.array(list(_runs(name, given.folder / "kuairand.toml", given.seeds, given.set)))
        table[name] = {
            f"{task}.{metric}": {"mean": float(values.mean()), "std": float(values.std(ddof=1))}
            for (task, metric), values in zip(FIGURES, runs.T, strict=True)
        }
        if not given.json:
            _print(name, table[name])
    if given.json:
        print(json.dumps(table, indent=1))


def _runs(name: str, path: Path, n_seeds: int, settings: list[str]) -> Iterator[list[float]]:
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(1, n_seeds + 1):
            overrides = [*MODELS.get(name, []), *settings, *QUIET, f"training.seed={seed}"]
            config = load_config(path, overrides)
            prepared = prepare(config, Path(scratch) / "prepared")
            folder = Path(scratch) / f"run-{seed}"
            if name == "twins":
                results = {
                    task: _train(twin_config(config, task), prepared, folder / task)
                    for task in config.tasks
                }
            else:
                results = dict.fromkeys(config.tasks, _train(config, prepared, folder))
            yield [results[task].value(task, metric) for task, metric in FIGURES]


def _train(config: RunConfig, prepared: Prepared, folder: Path) -> EvaluationResult:
    return train_run(config, RunFolder(folder), prepared=prepared).result


def _print(name: str, figures: dict[str, dict[str, float]]) -> None:
    cells = [f"{key} {f['mean']:.4f} ±{f['std']:.4f}" for key, f in figures.items()]
    print(f"{name:16s}", "  ".join(cells), flush=True)


if __name__ == "__main__":
    main()

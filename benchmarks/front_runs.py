"""Three ways to a front at equal compute, on a log: what `preference_front.py runs` does.

Runs that are trained separately with fixed weights; PE-LTR runs over a grid of bounds; one model
that can be told a preference, with the epochs of one run and with those of all runs. They have
the two tasks of the objectives and nothing else. Weights and preferences go from .1 to .9, since a
task without weight is not trained and would only say how bad that is; bounds are .8 of the same
shares from 0 to 1.

The points of a front are those that no other one of the same set beats on the validation rows,
where the epoch is chosen, too; they are valued on the test rows, on which nothing is chosen. All
volumes are from one reference, the worst of all points of all seeds on the test rows and a tenth
of the range. Intervals of differences: by seed (Student) and by user (users are drawn again, the
same ones for all runs, and the reference is that of the draw). More is better in all objectives.

Shapes: P points, K objectives, D draws, M methods, S seeds.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import t as student

from paretorank.config import RunConfig, load_config
from paretorank.evaluation import measure, task_metrics
from paretorank.foundation.seeds import named_generator
from paretorank.pareto import hypervolume, non_dominated, reference_point, simplex_lattice
from paretorank.workflows.ingest import prepare
from paretorank.workflows.predict import load_model
from paretorank.workflows.run_folder import RunFolder
from paretorank.workflows.scored_log import score_preferences
from paretorank.workflows.train import train_run

METHODS = ("separate", "bounds", "told, one run", "told, all runs")
N_RESAMPLES = 200
INSIDE = 0.1
"""Least share of a task."""

Numbers = Float[np.ndarray, "..."]


@dataclass(frozen=True)
class Study:
    """What is compared."""

    results: Path
    config: Path
    objectives: tuple[str, str]
    settings: Sequence[str]
    """What all runs have in common."""
    told: Sequence[str]
    """What makes a model that can be told a preference."""
    n_runs: int = 5
    epochs: int = 1
    n_seeds: int = 3

    @property
    def tasks(self) -> list[str]:
        """Return the tasks of the objectives."""
        return [name.rsplit(".", 1)[0] for name in self.objectives]

    @property
    def shares(self) -> list[dict[str, float]]:
        """Return the weights of the separate runs, which the others are told."""
        grid = INSIDE + (1 - 2 * INSIDE) * simplex_lattice(2, self.n_runs)
        return [dict(zip(self.tasks, row, strict=True)) for row in grid.round(6).tolist()]

    def cells(self) -> dict[str, tuple[str, int, Sequence[str]]]:
        """Return method, epochs and settings of every run."""
        cells: dict[str, tuple[str, int, Sequence[str]]] = {}
        for shares in self.shares:
            settings = [f"balancer={{kind='static', weights={toml(shares)}}}"]
            cells[f"alone-{shares[self.tasks[0]]:.2f}"] = ("separate", self.epochs, settings)
        for row in (0.8 * simplex_lattice(2, self.n_runs)).round(6).tolist():
            bounds = dict(zip(self.tasks, row, strict=True))
            settings = [f"balancer={{kind='pe_ltr', bounds={toml(bounds)}}}"]
            cells[f"bounds-{row[0]:.2f}"] = ("bounds", self.epochs, settings)
        cells["told-as-long-as-one"] = ("told, one run", self.epochs, self.told)
        cells["told-as-long-as-all"] = ("told, all runs", self.epochs * self.n_runs, self.told)
        return cells


@dataclass(frozen=True)
class Measurement:
    """Points of one run, or of all runs of a method."""

    valid: Float[np.ndarray, "P K"]
    test: Float[np.ndarray, "P K"]
    draws: Float[np.ndarray, "D P K"]
    """Of the test rows."""
    seconds: float


def report_runs(study: Study) -> None:
    """Train what is missing, seed by seed, and print what the methods come to."""
    found: list[dict[str, Measurement]] = []
    for seed in range(1, study.n_seeds + 1):
        by_method: dict[str, list[Measurement]] = {method: [] for method in METHODS}
        for name, (method, epochs, settings) in study.cells().items():
            own = [*study.settings, *settings, f"training.epochs={epochs}"]
            config = alone(load_config(study.config, [*own, f"training.seed={seed}"]), study.tasks)
            folder = RunFolder(study.results / "-".join(study.tasks) / f"{name}-seed{seed}")
            by_method[method].append(measured(study, config, folder))
        found.append({method: together(parts) for method, parts in by_method.items()})
    print_table(study, found)


def alone(config: RunConfig, tasks: Sequence[str]) -> RunConfig:
    """Return the configuration with some of the tasks and the data of all."""
    if any(config.tasks[name].observed_when in config.tasks for name in tasks):
        raise SystemExit("Tasks whose rows depend on other tasks cannot be taken out.")
    return config.model_copy(update={"tasks": {name: config.tasks[name] for name in tasks}}).at(
        config.path
    )


def measured(study: Study, config: RunConfig, folder: RunFolder) -> Measurement:
    """Return the points of a run, from its folder if it was there."""
    path = folder.path / "points.npz"
    if not path.exists():
        prepared = prepare(load_config(study.config, study.settings), study.results / "data")
        start = time.process_time()
        if not folder.metrics_path.exists():
            train_run(config, folder, prepared=prepared, resume=folder.was_begun)
        seconds = time.process_time() - start
        valid, test = (points(study, folder, split) for split in ("valid", "test"))
        np.savez(path, valid=valid[0], test=test[0], draws=test[1], seconds=seconds)
        print(f"{folder.path.name}: {seconds:.0f} s of processor", flush=True)
    with np.load(path) as saved:
        return Measurement(saved["valid"], saved["test"], saved["draws"], float(saved["seconds"]))


def points(study: Study, folder: RunFolder, split: str) -> tuple[Numbers, Numbers]:
    model, encoder, config = load_model(folder)
    preferences = study.shares if model.preference.is_read else [None]
    logs = score_preferences(
        model, encoder, config, preferences, split=split, split_from=folder.split_from
    )
    found = measure(
        [log.rows for log in logs],
        task_metrics(study.objectives, config.label_specs()),
        n_resamples=N_RESAMPLES,
        generator=named_generator(1, "front"),
    )
    return found.values, found.draws


def together(parts: Sequence[Measurement]) -> Measurement:
    return Measurement(
        np.concatenate([part.valid for part in parts]),
        np.concatenate([part.test for part in parts]),
        np.concatenate([part.draws for part in parts], axis=1),
        sum(part.seconds for part in parts),
    )


def print_table(study: Study, found: Sequence[Mapping[str, Measurement]]) -> None:
    volumes = volumes_of(found)
    drawn = np.stack([volumes_of(found, at).mean(axis=1) for at in range(N_RESAMPLES)])
    print(f"hypervolume from {reference_of(found)[0].round(5).tolist()}, % of the best of both")
    for at, method in enumerate(METHODS):
        parts = [seed[method] for seed in found]
        low, high = np.quantile(drawn[:, at] - drawn[:, 0], [0.025, 0.975])
        spread = np.mean([np.ptp(part.test, axis=0) for part in parts], axis=0)
        kept = np.mean([is_kept(part).sum() for part in parts])
        print(
            f"{method:15} {volumes[at].mean():6.2f}  minus separate"
            f" {difference(volumes[at] - volumes[0])} by seed, [{low:+.2f}, {high:+.2f}] by user; "
            f" {kept:.1f} on the front, ranges {spread.round(5).tolist()}; "
            f" {np.mean([part.seconds for part in parts]):.0f} s"
        )
        print("    by seed " + ", ".join(f"{value:.2f}" for value in volumes[at]))
        mean = np.mean([part.test for part in parts], axis=0)
        print("    " + "  ".join("/".join(f"{value:.4f}" for value in row) for row in mean))
    print(f"largest in each objective on {study.tasks}: {reference_of(found)[1].round(5).tolist()}")


def values_of(part: Measurement, at: int | None) -> Float[np.ndarray, "P K"]:
    """Return the values on the test rows, or those of a draw of them."""
    return part.test if at is None else part.draws[at]


def is_kept(part: Measurement) -> Bool[np.ndarray, " P"]:
    return non_dominated(-part.valid)


def reference_of(
    found: Sequence[Mapping[str, Measurement]], at: int | None = None
) -> tuple[Float[np.ndarray, " K"], Float[np.ndarray, " K"]]:
    """Return where volumes begin, and the best of each objective; more is better."""
    every = np.concatenate([values_of(one, at) for seed in found for one in seed.values()])
    return -reference_point(-every), every.max(axis=0)


def volumes_of(
    found: Sequence[Mapping[str, Measurement]], at: int | None = None
) -> Float[np.ndarray, "M S"]:
    """Return the volume of every method and seed; for a draw of users, all of it is that draw's."""
    start, best = reference_of(found, at)

    def volume(part: Measurement) -> float:
        return 100 * hypervolume(-values_of(part, at)[is_kept(part)], -start)

    rows = [[volume(seed[method]) for seed in found] for method in METHODS]
    return np.array(rows) / np.prod(best - start)


def difference(values: Float[np.ndarray, " S"]) -> str:
    """Return the mean with half of its interval."""
    if len(values) < 2:
        return f"{values.mean():+.2f}"
    half = student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():+.2f} +- {half:.2f}"


def toml(weights: Mapping[str, float]) -> str:
    return "{" + ", ".join(f"{name}={value}" for name, value in weights.items()) + "}"

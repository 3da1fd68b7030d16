"""A front from PE-LTR runs over a grid of bounds.

Source: Lin et al., A Pareto-Efficient Algorithm for Multiple Objective Optimization in E-Commerce
    Recommendation, RecSys 2019, section 3.3 (frontier generation: one run per choice of bounds).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from paretorank.config import RunConfig, load_config
from paretorank.evaluation import task_metrics
from paretorank.foundation.errors import ConfigError, RunError
from paretorank.foundation.progress import Listener, Progress, silent
from paretorank.pareto import simplex_lattice
from paretorank.workflows.run_folder import RunFolder, with_absolute_paths
from paretorank.workflows.train import train_run


@dataclass(frozen=True)
class BoundsGrid:
    """Which runs to train."""

    n_points: int = 5
    """At most so many runs, but one per task at least."""
    total: float = 0.8
    """What the bounds of a run sum to; the paper uses 0.8."""
    objectives: tuple[str, ...] = ()
    """The bounds are for the tasks of these; all tasks if empty."""


def train_bounds_grid(
    path: Path,
    overrides: Sequence[str],
    folder: Path,
    grid: BoundsGrid,
    *,
    listener: Listener = silent,
) -> dict[str, Mapping[str, float]]:
    """Train what is missing; return the bounds by the name of each run's folder.

    Finished runs are kept, and one that was cut off goes on.

    Raises:
        ConfigError: bounds that sum to `total` cannot be kept.
        RunError: a run in the folder was trained with another configuration.
    """
    if not 0 < grid.total <= 1:
        raise ConfigError(
            f"--bounds-total must be above 0 and at most 1, got {grid.total}.",
            hint="The weights of all tasks sum to 1; 0.8 leaves a fifth of them free.",
        )
    base = load_config(path, overrides)
    wanted = task_metrics(grid.objectives, base.label_specs())
    tasks = list(dict.fromkeys(one.task for one in wanted))
    shares = (simplex_lattice(len(tasks), grid.n_points) * grid.total).round(6).tolist()
    settings = [dict(zip(tasks, row, strict=True)) for row in shares]
    for number, bounds in enumerate(settings, start=1):
        heading = f"{number}/{len(settings)}"

        def named(event: Progress, /, heading: str = heading) -> None:
            stage = f"{heading} {event.stage}"
            listener(Progress(stage, event.done, event.total, event.unit, event.facts))

        config = _bounded(path, overrides, base, bounds)
        _train_missing(config, RunFolder(folder / _name(bounds)), named)
    return {_name(bounds): bounds for bounds in settings}


def _bounded(
    path: Path, overrides: Sequence[str], base: RunConfig, bounds: Mapping[str, float]
) -> RunConfig:
    text = ", ".join(f'"{task}" = {value}' for task, value in bounds.items())
    if base.balancer.kind == "pe_ltr":
        return load_config(path, [*overrides, f"balancer.bounds={{{text}}}"])
    return load_config(path, [*overrides, f'balancer={{kind = "pe_ltr", bounds = {{{text}}}}}'])


def _name(bounds: Mapping[str, float]) -> str:
    return "bounds-" + "-".join(f"{value:.3f}" for value in bounds.values())


def _train_missing(config: RunConfig, run: RunFolder, listener: Listener) -> None:
    if run.metrics_path.exists():
        known, asked = run.read_config(), with_absolute_paths(config)
        if known.model_dump() != asked.model_dump():
            raise RunError(
                f"{run.path} was trained with another configuration.",
                hint="Choose another folder with --out, or remove that run.",
            )
        return
    train_run(config, run, resume=run.was_begun, listener=listener)

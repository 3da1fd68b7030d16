"""`paretorank front`: what runs, or preferences of one run, trade against each other."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typer import Argument, Option

from paretorank.cli.console import echo, echo_json, note, progress_bars
from paretorank.cli.front_tables import echo_front
from paretorank.cli.names import check_metrics, check_objectives, main_metrics, task_kinds
from paretorank.cli.options import AsJson, RawScores, Set, numbers
from paretorank.foundation.errors import ConfigError

if TYPE_CHECKING:
    from paretorank.workflows.front import FrontOptions, FrontReport
    from paretorank.workflows.front_grid import BoundsGrid


FrontSplit = Annotated[
    Literal["valid", "test"], Option(help="Rows to score; keep test rows for what you pick.")
]
FrontOut = Annotated[
    Path | None, Option(help="Folder of front.json, of a plot, and of the runs of a grid.")
]


def front(
    paths: Annotated[
        list[Path],
        Argument(
            help="Finished runs, a folder of them, one run that can be told a preference, or, "
            "with --bounds-grid, a TOML file.",
            metavar="RUN...|CONFIG",
        ),
    ],
    objective: Annotated[
        list[str],
        Option(metavar="TASK.METRIC", help="What is traded; every task's main metric by default."),
    ] = [],
    split: FrontSplit = "valid",
    points: Annotated[int, Option(min=1, help="Preferences of one run, at most.")] = 11,
    bounds_grid: Annotated[
        int, Option(min=0, help="Train so many PE-LTR runs from CONFIG, at most.")
    ] = 0,
    bounds_total: Annotated[float, Option(help="What the bounds of each of them sum to.")] = 0.8,
    at_least: Annotated[
        str, Option(metavar="OBJECTIVE=VALUE,...", help="Pick the best point that reaches this.")
    ] = "",
    reference: Annotated[
        str, Option(metavar="OBJECTIVE=VALUE,...", help="Where the hypervolume begins.")
    ] = "",
    resamples: Annotated[int, Option(min=0, help="Bootstrap samples behind intervals.")] = 200,
    raw: RawScores = False,
    overrides: Set = [],
    out: FrontOut = None,
    as_json: AsJson = False,
) -> None:
    """Print the Pareto front of several runs, of one run's preferences, or of PE-LTR's bounds.

    With it: its hypervolume, points to pick by rule, and what each step along it costs. Scores are
    calibrated where a run is, unless --raw is given.
    """
    _check_names(paths, objective, reference, at_least, overrides)
    from paretorank.workflows.front_grid import BoundsGrid  # imports torch; `--help` must not

    options = _options(objective, reference, at_least, resamples, is_raw=raw)
    folder = out
    if bounds_grid:
        own = _grid_folder(paths)
        grid = BoundsGrid(bounds_grid, bounds_total, options.objectives)
        report = _of_bounds(paths[0], overrides, options, split, out or own, grid=grid)
        folder = out or own
    else:
        report = _of_runs(paths, options, split, points)
        if (paths[0] / "config.toml").exists() and len(paths) == 1 and report.calibrated:
            note("one calibration is applied at all preferences: chances may be off; see --raw")
        folder = out or (paths[0] if len(paths) == 1 else None)
    if folder is not None:
        _write(report, folder)
    if as_json:
        echo_json(report.to_json())
        return
    echo_front(f"{split} rows", report)
    if folder is None:
        echo("nothing is written without --out FOLDER")


def _check_names(
    paths: list[Path], objectives: list[str], reference: str, at_least: str, overrides: list[str]
) -> None:
    kinds = {} if overrides else task_kinds(paths)
    check_metrics("--objective", objectives, kinds, with_direction=True)
    wanted = objectives or main_metrics(kinds)
    check_objectives("--reference", numbers(reference, "--reference"), wanted)
    check_objectives("--at-least", numbers(at_least, "--at-least"), wanted)


def _options(
    objectives: list[str], reference: str, at_least: str, n_resamples: int, *, is_raw: bool
) -> "FrontOptions":
    from paretorank.workflows.front import FrontOptions

    return FrontOptions(
        objectives=tuple(objectives),
        reference=numbers(reference, "--reference"),
        at_least=numbers(at_least, "--at-least"),
        n_resamples=n_resamples,
        is_raw=is_raw,
    )


def _of_runs(
    paths: list[Path], options: "FrontOptions", split: Literal["valid", "test"], n_points: int
) -> "FrontReport":
    from paretorank.workflows.front_points import front_of

    configs = [path for path in paths if path.suffix == ".toml"]
    if configs:
        raise ConfigError(
            f"{configs[0]} is a configuration, not a run.",
            hint="Give folders of runs, or --bounds-grid 5 to train some.",
        )
    with progress_bars() as listener:
        return front_of(paths, options, split=split, n_points=n_points, listener=listener)


def _grid_folder(paths: list[Path]) -> Path:
    if len(paths) != 1:
        raise ConfigError("--bounds-grid takes one CONFIG.", hint="Name a single TOML file.")
    return paths[0].parent / "runs" / f"{paths[0].stem}-front"


def _of_bounds(
    path: Path,
    overrides: Sequence[str],
    options: "FrontOptions",
    split: Literal["valid", "test"],
    folder: Path,
    *,
    grid: "BoundsGrid",
) -> "FrontReport":
    from paretorank.workflows.front_grid import train_bounds_grid
    from paretorank.workflows.front_points import front_of

    note(f"runs: {folder}; the same command goes on where it was interrupted")
    with progress_bars() as listener:
        settings = train_bounds_grid(path, overrides, folder, grid, listener=listener)
        runs = [folder / name for name in settings]
        return front_of(runs, options, split=split, settings=settings, listener=listener)


def _write(report: "FrontReport", folder: Path) -> None:
    from paretorank.foundation.files import write_json
    from paretorank.workflows.front_plot import write_plot

    path = folder / "front.json"
    write_json(path, report.to_json())
    plot = write_plot(report, folder)
    for written in filter(None, (path, plot)):
        note(f"written: {written}")

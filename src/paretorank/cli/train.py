"""`paretorank train`: train, restore the best weights, evaluate."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Exit, Option

from paretorank.cli.console import echo, echo_json, note, progress_bars
from paretorank.cli.metrics_table import echo_metrics
from paretorank.cli.options import AsJson, Set
from paretorank.foundation.errors import ConfigError, RunError

if TYPE_CHECKING:
    from paretorank.config import RunConfig
    from paretorank.workflows.run_folder import RunFolder

INTERRUPTED = 130  # what a shell makes of Ctrl-C


def train(
    config: Annotated[
        Path | None, Argument(help="TOML file that describes the run.", metavar="[CONFIG]")
    ] = None,
    overrides: Set = [],
    out: Annotated[Path | None, Option(help="Run folder; runs/NAME-TIME by default.")] = None,
    resume: Annotated[
        Path | None, Option(help="Run folder whose interrupted training goes on.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train a model, keep its best weights, and evaluate it on the test rows.

    With --resume no CONFIG is needed: the run folder has its own.
    """
    from paretorank.workflows.train import train_run  # imports torch; `--help` must not

    settings, folder = _begin(config, overrides, out, resume)
    note(f"run folder: {folder.path}")
    try:
        with progress_bars() as listener:
            run = train_run(settings, folder, resume=resume is not None, listener=listener)
    except KeyboardInterrupt:
        note(f"interrupted; go on with: paretorank train --resume {folder.path}")
        raise Exit(INTERRUPTED) from None
    report = run.report
    if as_json:
        facts = {"folder": str(folder.path), "split": run.split, "report": vars(report)}
        echo_json({**facts, "metrics": run.result.to_json()})
        return
    titles = {"test": "Test rows", "valid": "Validation rows, which chose the weights; no test"}
    echo_metrics(titles[run.split], run.result)
    stopped = ", stopped early" if report.stopped_early else ""
    echo(
        f"{report.n_steps} steps in {report.seconds:.1f} s ({report.rows_per_s:,.0f} rows/s), "
        f"best at step {report.best_step}{stopped}"
    )
    echo(f"next: paretorank evaluate {folder.path} --by COLUMN")


def _begin(
    config: Path | None, overrides: list[str], out: Path | None, resume: Path | None
) -> "tuple[RunConfig, RunFolder]":
    """Return the configuration and the folder of a new run, or of the one that goes on."""
    from paretorank.config import load_config  # imports torch; `--help` must not
    from paretorank.workflows.run_folder import RunFolder
    from paretorank.workflows.train import new_run_folder

    if resume is not None and not RunFolder(resume).was_begun:
        raise RunError(
            f"--resume {resume} holds no run (config.toml is missing).",
            hint="Give the folder that an interrupted `paretorank train` has printed.",
        )
    if config is not None:
        settings = load_config(config, overrides)
    elif resume is not None:
        settings = RunFolder(resume).read_config(overrides)
    else:
        raise ConfigError(
            "CONFIG is missing.", hint="Give a TOML file, or --resume RUN to go on with a run."
        )
    chosen = resume or out
    folder = new_run_folder(settings) if chosen is None else RunFolder(chosen)
    if resume is None and folder.checkpoints.exists():
        raise ConfigError(
            f"--out {folder.path} already holds a run.",
            hint=f"Go on with `--resume {folder.path}`, or choose another folder.",
        )
    return settings, folder

"""`paretorank train`: train, restore the best weights, evaluate."""

from pathlib import Path
from typing import Annotated

from typer import Option

from paretorank.cli.console import echo, echo_json, note, progress_bars
from paretorank.cli.metrics_table import echo_metrics
from paretorank.cli.options import AsJson, ConfigPath, Set


def train(
    config: ConfigPath,
    overrides: Set = [],
    out: Annotated[Path | None, Option(help="Run folder; runs/NAME-TIME by default.")] = None,
    resume: Annotated[
        Path | None, Option(help="Run folder whose interrupted training goes on.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train a model, keep its best weights, and evaluate it on the test rows."""
    from paretorank.config import load_config  # imports torch; `--help` must not
    from paretorank.foundation.errors import ConfigError, RunError
    from paretorank.workflows.run_folder import RunFolder
    from paretorank.workflows.train import new_run_folder, train_run

    settings = load_config(config, overrides)
    chosen = resume or out
    folder = new_run_folder(settings) if chosen is None else RunFolder(chosen)
    if resume is None and folder.checkpoints.exists():
        raise ConfigError(
            f"--out {folder.path} already holds a run.",
            hint=f"Go on with `--resume {folder.path}`, or choose another folder.",
        )
    if resume is not None and not folder.config_path.exists():
        raise RunError(
            f"--resume {resume} holds no run (config.toml is missing).",
            hint="Give the folder that an interrupted `paretorank train` has printed.",
        )
    note(f"run folder: {folder.path}")
    with progress_bars() as listener:
        run = train_run(settings, folder, resume=resume is not None, listener=listener)
    report = run.report
    if as_json:
        facts = {"folder": str(folder.path), "report": vars(report)}
        echo_json({**facts, "metrics": run.result.to_json()})
        return
    echo_metrics("Test rows", run.result)
    stopped = ", stopped early" if report.stopped_early else ""
    echo(
        f"{report.n_steps} steps in {report.seconds:.1f} s ({report.rows_per_s:,.0f} rows/s), "
        f"best at step {report.best_step}{stopped}"
    )
    echo(f"next: paretorank evaluate {folder.path} --by COLUMN")

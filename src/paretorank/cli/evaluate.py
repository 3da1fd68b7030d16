"""`paretorank evaluate`: metrics per task, sample space and segment."""

from pathlib import Path
from typing import Annotated, Literal

from typer import Option

from paretorank.cli.console import echo_json, note, progress_bars
from paretorank.cli.metrics_table import echo_metrics
from paretorank.cli.options import AsJson, NoCalibration, Preference, RunPath, numbers


def evaluate(
    run: RunPath,
    data: Annotated[
        Path | None, Option(help="New rows with labels; the log's own split by default.")
    ] = None,
    split: Annotated[Literal["valid", "test"], Option(help="Which rows of the log.")] = "test",
    by: Annotated[str | None, Option(metavar="COLUMN", help="Metrics per value, too.")] = None,
    resamples: Annotated[
        int | None, Option(min=0, help="Bootstrap samples behind intervals.")
    ] = None,
    no_calibration: NoCalibration = False,
    preference: Preference = "",
    as_json: AsJson = False,
) -> None:
    """Score rows with a finished run and print its metrics with intervals."""
    from paretorank.data.source import as_frame
    from paretorank.workflows.evaluate import evaluate_run  # imports torch; `--help` must not
    from paretorank.workflows.preference_notes import preference_notes
    from paretorank.workflows.run_folder import RunFolder

    folder = RunFolder(run)
    told = numbers(preference, "--preference") if preference else None
    for text in preference_notes(folder, told, is_calibrated=not no_calibration):
        note(text)
    with progress_bars() as listener:
        result = evaluate_run(
            folder,
            rows=None if data is None else as_frame(data),
            split=split,
            by=by,
            n_resamples=resamples,
            is_calibrated=not no_calibration,
            preference=told,
            listener=listener,
        )
    if as_json:
        echo_json(result.to_json())
    else:
        echo_metrics(f"{run}: {data or split + ' rows'}", result)

"""`paretorank calibrate`: scores that mean what they say."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typer import Option

from paretorank.cli.console import echo, echo_json, echo_table, note, number, progress_bars
from paretorank.cli.options import AsJson, Preference, RunPath, numbers
from paretorank.foundation.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paretorank.workflows.calibrate import CalibrationLine, CalibrationReport

Method = Literal[
    "auto", "identity", "temperature", "platt", "beta", "histogram", "isotonic", "scale"
]
_SHOWN = {
    "pcoc": "PCOC",
    "ece_equal_mass": "ECE, equal mass",
    "log_loss": "log loss",
    "rmse": "RMSE",
}


def calibrate(
    run: RunPath,
    data: Annotated[
        Path | None,
        Option(help="Rows with labels to fit on; the log's validation rows by default."),
    ] = None,
    method: Annotated[
        Method, Option(help="auto: what fits users best that the fit has not seen.")
    ] = "auto",
    segment: Annotated[
        str | None, Option(metavar="COLUMN", help="A map of its own for each value.")
    ] = None,
    keep_rate: Annotated[
        list[str], Option(metavar="TASK=RATE", help="Share of rows with label 0 that were kept.")
    ] = [],
    by: Annotated[str | None, Option(metavar="COLUMN", help="Report per value, too.")] = None,
    by_activity: Annotated[
        bool, Option("--by-activity", help="Report per tenth of the users, too.")
    ] = False,
    preference: Preference = "",
    reliability: Annotated[
        bool, Option("--reliability", help="Print what was predicted beside what happened.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fit maps for the scores of every task; `evaluate` and `predict` use them from then on."""
    from paretorank.data.source import as_frame
    from paretorank.workflows.calibrate import calibrate_run  # imports torch; `--help` must not
    from paretorank.workflows.calibration_fit import CalibrationWish
    from paretorank.workflows.run_folder import RunFolder

    wish = CalibrationWish(
        method=method,
        segment=segment,
        keep_rates=dict(map(_rate, keep_rate)),
        by=by,
        by_activity=by_activity,
        preference=numbers(preference, "--preference") if preference else None,
    )
    with progress_bars() as listener:
        rows = None if data is None else as_frame(data)
        report = calibrate_run(RunFolder(run), wish, rows=rows, listener=listener)
    if as_json:
        echo_json(report.to_json())
        return
    _echo_maps(f"{run}: maps", report)
    _echo_lines(report)
    if reliability:
        _echo_reliability(report)
    echo(f"next: paretorank evaluate {run}")


def _rate(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise ConfigError(
            f"--keep-rate {text} is not of the form TASK=RATE.", hint="For instance: click=0.1."
        ) from None


def _echo_maps(title: str, report: "CalibrationReport") -> None:
    rows = []
    chances = {line.task for line in report.lines if "log_loss" in line.measures}
    for task in report.calibration.tasks:
        space = f"{task.task} and {' and '.join(task.along)}" if task.along else task.task
        errors = report.errors[task.task]
        error = _error(errors, task.everywhere.kind, is_chance=task.task in chances)
        own = str(len(task.by_segment)) if report.calibration.segment else "-"
        rows.append([task.task, space, task.everywhere.kind, own, error])
        for text in task.notes:
            note(f"{task.task}: {text}")
    header = ["task", "chance or value of", "map", "segments", "error on unseen users"]
    echo_table(title, header, rows)


def _error(errors: "Mapping[Method, float]", kind: Method, *, is_chance: bool) -> str:
    """Return the error of users that no fit has seen, without a map and with this one."""
    if not errors:
        return "-"
    before, after = errors["identity"], errors[kind]
    if is_chance:
        return f"log loss {number(before)} -> {number(after)}"
    return f"RMSE {number(before**0.5)} -> {number(after**0.5)}"


def _echo_lines(report: "CalibrationReport") -> None:
    """Print before and after in one line; the error is by bins of equal mass."""
    segmented = any(line.segment != "all" for line in report.lines)
    for wanted in ("log_loss", "rmse"):
        rows = []
        names = [name for name in _SHOWN if name in {"pcoc", "ece_equal_mass", wanted}]
        lines = [line for line in report.lines if wanted in line.measures]
        names = [name for name in names if lines and name in lines[0].measures]
        for before, after in zip(lines[::2], lines[1::2], strict=True):
            cells = [
                f"{number(before.measures[name])} -> {number(after.measures[name])}"
                for name in names
            ]
            place = [f"{before.task}\n{before.space}", before.split]
            place += [before.segment] if segmented else []
            rows.append([*place, f"{before.n_rows:,}", *cells])
        header = ["task", "split", *(["segment"] if segmented else []), "rows"]
        if rows:
            echo_table("", [*header, *(_SHOWN[name] for name in names)], rows, whole=2)


def _echo_reliability(report: "CalibrationReport") -> None:
    """Print before and after of every task; once where they look the same."""
    lines = [line for line in report.lines if line.split == report.lines[-1].split]
    for before, after in zip(lines[::2], lines[1::2], strict=True):
        first, second = _bins(before), _bins(after)
        stages = {"before": first, "after": second}
        if first == second:
            stages = {"before and after": first}
        for stage, rows in stages.items():
            if rows:
                title = f"{before.task}, {before.space}, {before.split} rows, {stage}"
                echo_table(title, ["rows", "predicted", "observed", "95 % interval"], rows)


def _bins(line: "CalibrationLine") -> list[list[str]]:
    return [
        [
            f"{part.n_rows:,}",
            number(part.predicted),
            number(part.observed),
            f"{number(part.low)} to {number(part.high)}",
        ]
        for part in line.bins
    ]

"""`paretorank compare`: differences between runs, with intervals, and the see-saw gate."""

import itertools
from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Exit, Option

from paretorank.cli.comparison_table import echo_comparison
from paretorank.cli.console import GATE_FAILED, echo_json, note, progress_bars
from paretorank.cli.names import check_metrics, task_kinds
from paretorank.cli.options import AsJson, Confidence, NewRows, RawScores, Split

Guards = Annotated[
    list[str],
    Option(metavar="TASK.METRIC", help="Must not become worse; all main metrics by default."),
]
NonInferior = Annotated[
    bool, Option("--require-non-inferior", help="A guard must be shown to be no worse than that.")
]
CorrectionName = Annotated[
    Literal["holm", "benjamini_hochberg", "none"],
    Option(help="How p-values allow for many guards."),
]


def compare(
    runs: Annotated[
        list[Path], Argument(help="Folders of finished runs; the first one is the baseline.")
    ],
    twins: Annotated[
        bool, Option("--twins", help="Compare with single-task twins of the first run.")
    ] = False,
    guard: Guards = [],
    tolerance: Annotated[float, Option(min=0, help="Loss of a guard that is accepted.")] = 0.0,
    require_non_inferior: NonInferior = False,
    correction: CorrectionName = "holm",
    confidence: Confidence = 0.95,
    resamples: Annotated[int, Option(min=10, help="Bootstrap draws of users.")] = 1000,
    data: NewRows = None,
    split: Split = "test",
    common_rows: Annotated[
        bool, Option("--common-rows", help="Leave out rows that only some of the runs have.")
    ] = False,
    raw: RawScores = False,
    out: Annotated[Path | None, Option(help="Folder for compare.json.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare runs on the same users; exit with 3 if a guarded metric became worse.

    Scores are calibrated where a run is, unless --raw is given.
    With --twins, the single-task twins are trained first, into RUN/twins; finished ones are kept.
    """
    check_metrics("--guard", guard, task_kinds(runs))
    from paretorank.data.source import as_frame
    from paretorank.evaluation import GateConfig
    from paretorank.foundation.files import write_json
    from paretorank.workflows.compare import CompareRequest, compare_runs  # imports torch
    from paretorank.workflows.preference_notes import preference_notes
    from paretorank.workflows.run_folder import RunFolder

    request = CompareRequest(
        None if data is None else as_frame(data),
        split,
        common_rows,
        raw,
        GateConfig(tuple(guard), tolerance, require_non_inferior, correction),
        resamples,
        confidence,
    )
    folders = [RunFolder(run) for run in runs]
    notes = (preference_notes(folder, None, is_calibrated=not raw) for folder in folders)
    for text in itertools.chain.from_iterable(notes):
        note(text)
    with progress_bars() as listener:
        result = compare_runs(folders, request, twins=twins, listener=listener)
    if out is not None:
        write_json(out / "compare.json", result.to_json())
        note(f"written: {out / 'compare.json'}")
    if as_json:
        echo_json(result.to_json())
    else:
        echo_comparison(result)
    if not result.passed:
        raise Exit(GATE_FAILED)

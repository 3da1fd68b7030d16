"""`paretorank fuse`: weights of the formula that sorts the lists."""

from pathlib import Path
from typing import TYPE_CHECKING

from typer import Exit

from paretorank.cli import fusion_options as options
from paretorank.cli.console import GATE_FAILED, echo_json, note, progress_bars
from paretorank.cli.fusion_table import echo_fusion
from paretorank.cli.names import task_kinds
from paretorank.cli.options import AsJson, Preference, RunPath, numbers

if TYPE_CHECKING:
    from paretorank.workflows.fusion_request import FuseRequest
    from paretorank.workflows.fusion_result import Fusion

INTERRUPTED = 130  # what a shell makes of Ctrl-C


def fuse(
    run: RunPath,
    maximise: options.Metrics,
    at_least: options.Bounds = None,
    formula: options.FormulaText = None,
    preset: options.Preset = "weighted_product",
    ranges: options.Ranges = None,
    value: options.Worth = None,
    also: options.Also = None,
    baseline: options.Baseline = None,
    baseline_column: options.BaselineColumn = None,
    sampler: options.Sampler = "auto",
    pick: options.Pick = "knee",
    trials: options.Trials = 200,
    seed: options.Seed = 0,
    resamples: options.Resamples = None,
    preference: Preference = "",
    out: options.Out = None,
    onnx: options.Onnx = None,
    as_json: AsJson = False,
) -> None:
    """Search fusion weights on the validation rows and confirm them on the test rows.

    An interrupted search goes on when it is started again. Exits with 3 if the formula that was
    found misses a bound on the test rows.
    """
    from paretorank.workflows.fusion_request import FuseRequest, parse_wishes

    if onnx is not None:
        written = {"--formula": formula, "--baseline": baseline}
        _check_graph(onnx, run, written, baseline_column)
    request = FuseRequest(
        maximise=tuple(maximise),
        at_least=tuple(at_least or ()),
        formula=formula,
        preset=preset,
        ranges=tuple(ranges or ()),
        value=value,
        also=tuple(also or ()),
        baseline=baseline,
        baseline_column=baseline_column,
        sampler=sampler,
        n_trials=trials,
        seed=seed,
        pick=pick,
        n_resamples=resamples,
        preference=numbers(preference, "--preference") if preference else None,
    )
    if kinds := task_kinds([run]):
        parse_wishes(request, tuple(kinds))  # refuses what does not exist, before torch is there
    found = _searched(run, request, out)
    if onnx is not None:
        _write_graph(run, onnx, out)
    if as_json:
        echo_json(found.to_json())
    else:
        echo_fusion(str(run), found)
    if found.missed:
        raise Exit(GATE_FAILED)


def _check_graph(onnx: Path, run: Path, written: dict[str, str | None], column: str | None) -> None:
    """Refuse what no graph may read; any task alone may win, and so may today's formula."""
    from paretorank.fusion import parse_formula
    from paretorank.workflows.fusion_graph import check_graph_path

    read = [*task_kinds([run]), *filter(None, [column])]
    for place, text in written.items():
        read += parse_formula(text, place=place).columns if text is not None else ()
    check_graph_path(onnx, read)


def _searched(run: Path, request: "FuseRequest", out: Path | None) -> "Fusion":
    from paretorank.workflows.fuse import fuse_run  # imports torch; `--help` must not
    from paretorank.workflows.preference_notes import preference_notes
    from paretorank.workflows.run_folder import RunFolder

    for text in preference_notes(RunFolder(run), request.preference):
        note(text)
    try:
        with progress_bars() as listener:
            return fuse_run(RunFolder(run), request, out=out, listener=listener)
    except KeyboardInterrupt:
        note("interrupted; what was tried is kept, and the same command goes on")
        raise Exit(INTERRUPTED) from None


def _write_graph(run: Path, onnx: Path, out: Path | None) -> None:
    from paretorank.workflows.fusion_graph import write_fusion_graph
    from paretorank.workflows.run_folder import RunFolder

    write_fusion_graph(RunFolder(run), onnx, searched_in=out)
    note(f"{onnx}: the formula as an ONNX graph")

"""`paretorank fuse`: weights of the formula that sorts the lists."""

from pathlib import Path
from typing import Annotated, Literal

from typer import Exit, Option

from paretorank.cli.console import echo_json, note, progress_bars
from paretorank.cli.fusion_table import echo_fusion
from paretorank.cli.options import AsJson, RunPath

INTERRUPTED = 130
Preset = Literal[
    "weighted_product", "weighted_sum", "click_gated_sum", "shifted_product", "rank_ensemble"
]


def fuse(
    run: RunPath,
    maximise: Annotated[
        list[str],
        Option(metavar="METRIC", help="TASK.ndcg@K, .gauc, .sum@K, .mean@K or value@K."),
    ],
    at_least: Annotated[
        list[str] | None,
        Option(metavar="METRIC=BOUND", help="like.ndcg@10=-0.5% of today's, or =0.31."),
    ] = None,
    formula: Annotated[str | None, Option(help="Own formula: 'click * like^$w'.")] = None,
    preset: Annotated[Preset, Option(help="Formula over all tasks.")] = "weighted_product",
    weight_range: Annotated[
        list[str] | None, Option("--range", metavar="WEIGHT=LOW:HIGH", help="Where to look.")
    ] = None,
    value: Annotated[
        str | None, Option(metavar="TASK=WORTH,...", help="What labels are worth, for value@K.")
    ] = None,
    also: Annotated[list[str] | None, Option(metavar="METRIC", help="Report it, too.")] = None,
    baseline: Annotated[
        str | None, Option(metavar="FORMULA", help="Today's order; the first task by default.")
    ] = None,
    baseline_column: Annotated[
        str | None, Option(metavar="COLUMN", help="Column that sorted the lists, largest first.")
    ] = None,
    sampler: Annotated[
        Literal["auto", "tpe", "cmaes", "nsga2", "nsga3"],
        Option(help="auto: tpe for one metric, nsga2 or nsga3 for several."),
    ] = "auto",
    pick: Annotated[
        Literal["knee", "least_misery"], Option(help="Which point of a front is chosen.")
    ] = "knee",
    trials: Annotated[int, Option(min=1, help="How many weights are tried.")] = 200,
    seed: Annotated[int, Option(min=0, help="Of the search and the intervals.")] = 0,
    resamples: Annotated[
        int | None, Option(min=0, help="Bootstrap samples behind intervals.")
    ] = None,
    out: Annotated[Path | None, Option(help="Folder of the search; RUN/fusion by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Search fusion weights on the validation rows and confirm them on the test rows.

    An interrupted search goes on when it is started again.
    """
    from paretorank.workflows.fuse import fuse_run  # imports torch; `--help` must not
    from paretorank.workflows.fusion_request import FuseRequest
    from paretorank.workflows.run_folder import RunFolder

    request = FuseRequest(
        maximise=tuple(maximise),
        at_least=tuple(at_least or ()),
        formula=formula,
        preset=preset,
        ranges=tuple(weight_range or ()),
        value=value,
        also=tuple(also or ()),
        baseline=baseline,
        baseline_column=baseline_column,
        sampler=sampler,
        n_trials=trials,
        seed=seed,
        pick=pick,
        n_resamples=resamples,
    )
    try:
        with progress_bars() as listener:
            found = fuse_run(RunFolder(run), request, out=out, listener=listener)
    except KeyboardInterrupt:
        note("interrupted; what was tried is kept, and the same command goes on")
        raise Exit(INTERRUPTED) from None
    if as_json:
        echo_json(found.to_json())
    else:
        echo_fusion(str(run), found)

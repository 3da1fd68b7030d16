"""Options of `paretorank fuse`."""

from pathlib import Path
from typing import Annotated, Literal

from typer import Option

Metrics = Annotated[
    list[str],
    Option(metavar="METRIC", help="TASK.ndcg@K, .gauc, .sum@K, .mean@K or value@K."),
]
Bounds = Annotated[
    list[str] | None,
    Option(metavar="METRIC=BOUND", help="like.ndcg@10=-0.5% of today's, or =0.31."),
]
FormulaText = Annotated[str | None, Option(help="Own formula: 'click * like^$w'.")]
Preset = Annotated[
    Literal[
        "weighted_product", "weighted_sum", "click_gated_sum", "shifted_product", "rank_ensemble"
    ],
    Option(help="Formula over all tasks."),
]
Ranges = Annotated[
    list[str] | None, Option("--range", metavar="WEIGHT=LOW:HIGH", help="Where to look.")
]
Worth = Annotated[
    str | None, Option(metavar="TASK=WORTH,...", help="What labels are worth, for value@K.")
]
Also = Annotated[list[str] | None, Option(metavar="METRIC", help="Report it, too.")]
Baseline = Annotated[
    str | None, Option(metavar="FORMULA", help="Today's order; the first task by default.")
]
BaselineColumn = Annotated[
    str | None,
    Option(
        metavar="COLUMN",
        help="Column that sorted the lists, largest first; for a place: --baseline=-position.",
    ),
]
Sampler = Annotated[
    Literal["auto", "tpe", "cmaes", "nsga2", "nsga3"],
    Option(help="auto: tpe for one metric, nsga2 or nsga3 for several."),
]
Pick = Annotated[Literal["knee", "least_misery"], Option(help="Which point of a front is chosen.")]
Trials = Annotated[int, Option(min=1, help="How many weights are tried.")]
Seed = Annotated[int, Option(min=0, help="Of the search and the intervals.")]
Resamples = Annotated[int | None, Option(min=0, help="Bootstrap samples behind intervals.")]
Out = Annotated[Path | None, Option(help="Folder of the search; RUN/fusion by default.")]
Onnx = Annotated[
    Path | None, Option(metavar="FILE", help="Write the chosen formula as an ONNX graph, too.")
]

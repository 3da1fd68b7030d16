"""Options of `paretorank off-policy`."""

from typing import Annotated

from typer import Option

Position = Annotated[
    str | None, Option(metavar="COLUMN", help="Place in a list that was shown whole.")
]
Propensity = Annotated[
    str | None,
    Option(metavar="COLUMN", help="Chance with which each candidate would have been shown."),
]
Shown = Annotated[
    str | None,
    Option(metavar="COLUMN", help="Marks the shown candidate; else: its reward is known."),
]
Reward = Annotated[
    str | None, Option(metavar="TASK", help="What counts; the first task by default.")
]
Worth = Annotated[
    str | None, Option(metavar="TASK=WORTH,...", help="Or several labels, and their worth.")
]
By = Annotated[list[str], Option(metavar="TASK", help="Order by the chance of a task.")]
FormulaTexts = Annotated[list[str], Option(help="Order by a formula: 'click * like^0.5'.")]
Fused = Annotated[bool, Option("--fused", help="Order by the formula that `fuse` found.")]
Places = Annotated[
    int | None, Option("--k", min=1, help="Places from the top that count; all by default.")
]
Examination = Annotated[
    str, Option(metavar="1,0.7,...", help="Chances that places are looked at; else fitted.")
]
ExaminationFrom = Annotated[
    str | None, Option(metavar="TASK", help="Fit them to this task; to the reward by default.")
]
Temperature = Annotated[
    float | None, Option(help="Draw by exp(score / temperature) instead of the highest.")
]

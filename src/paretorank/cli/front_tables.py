"""How a front looks in a terminal."""

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from paretorank.cli.console import console_width, echo, echo_table, number

if TYPE_CHECKING:
    from paretorank.workflows.front import FrontReport

_NARROWEST, _WIDEST = 12, 40
"""Columns of a point's name, which is broken into lines to leave room for its values."""


def echo_front(title: str, report: "FrontReport") -> None:
    """Print points, hypervolume, picks and prices."""
    front = report.front
    names = [objective.name for objective in front.objectives]
    has_shares = not bool((report.on_front_share != report.on_front_share).any())
    digits = [_digits(column) for column in zip(*front.values.tolist(), strict=True)]
    rows = [
        [name, *map(number, values, digits), "yes" if is_on_front else "no"]
        + ([f"{share:.0%}"] if has_shares else [])
        for name, values, is_on_front, share in zip(
            front.names,
            front.values.tolist(),
            front.is_on_front.tolist(),
            report.on_front_share.tolist(),
            strict=True,
        )
    ]
    header = ["point", *(_stacked(name) for name in names), "on\nfront"]
    header += ["of\ndraws"] if has_shares else []
    echo_table(title, header, _with_broken_names(header, rows), whole=1)
    low, high = report.interval.low, report.interval.high
    interval = "" if low != low else f" [{low:.3g}, {high:.3g}]"  # noqa: PLR0124 - NaN
    start = ", ".join(
        f"{name} = {value:.4g}" for name, value in zip(names, report.reference, strict=True)
    )
    echo(f"hypervolume {report.hypervolume:.3g}{interval} from {start}")
    if low <= 0.0:
        echo("the interval of the hypervolume reaches 0: no trade-off is shown on these rows")
    for text in _scores_in_words(report):
        echo(text)
    for rule, picked in report.picks.items():
        echo(f"pick, {rule}: {picked or 'none'}")
    if not report.exchanges:
        echo("no step gains in one objective and costs in another: these points trade nothing")
        return
    steps = [
        [
            f"{step.start}\n-> {step.end}",
            f"{step.gains} {step.gain:.3g}",
            f"{step.costs} {step.cost:.3g}",
            number(step.price, 3),
        ]
        for step in report.exchanges
    ]
    header = ["step", "gains", "costs", "price\nof 1"]
    echo_table("Exchange rates", header, _with_broken_names(header, steps), whole=1)


def _scores_in_words(report: "FrontReport") -> list[str]:
    """Return whose scores are calibrated, where some are."""
    raw = [name for name in report.front.names if name not in report.calibrated]
    if not report.calibrated:
        return []
    if not raw:
        return ["scores are calibrated"]
    names = f"{', '.join(report.calibrated)} are calibrated, of {', '.join(raw)} not"
    return [f"scores of {names}, which log loss, NE, PCOC and ECE feel; --raw takes all as given"]


def _stacked(name: str) -> str:
    """Return the name of an objective with its metric below the task."""
    task, _, metric = name.rpartition(".")
    return f"{task}\n{metric}"


def _with_broken_names(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return rows whose first cell has lines that leave room for the others; words stay whole."""
    others = [[name, *(row[at] for row in rows)] for at, name in enumerate(header) if at]
    taken = sum(2 + max(len(line) for cell in c for line in cell.split("\n")) for c in others)
    room = min(max(_NARROWEST, console_width() - taken - 2), _WIDEST)

    def broken(name: str) -> str:
        lines = name.split("\n")
        return "\n".join(
            textwrap.fill(line, room, break_long_words=False, break_on_hyphens=False)
            for line in lines
        )

    return [[broken(first), *rest] for first, *rest in rows]


def _digits(values: tuple[float, ...]) -> int:
    """Return how many digits tell the values of an objective apart."""
    spread = max(values) - min(values)
    return 4 if not spread > 0.0 else min(max(4, 1 - math.floor(math.log10(spread))), 8)

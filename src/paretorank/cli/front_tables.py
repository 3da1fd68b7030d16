"""How a front looks in a terminal."""

import math
from typing import TYPE_CHECKING

from paretorank.cli.console import echo, echo_table, number

if TYPE_CHECKING:
    from paretorank.workflows.front import FrontReport


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
    header = ["point", *names, "on front", *(["of resamples"] if has_shares else [])]
    echo_table(title, header, rows, whole=1)
    low, high = report.interval.low, report.interval.high
    interval = "" if low != low else f" [{low:.3g}, {high:.3g}]"  # noqa: PLR0124 - NaN
    start = ", ".join(
        f"{name} = {value:.4g}" for name, value in zip(names, report.reference, strict=True)
    )
    echo(f"hypervolume {report.hypervolume:.3g}{interval} from {start}")
    if low <= 0.0:
        echo("the interval of the hypervolume reaches 0: no trade-off is shown on these rows")
    for rule, picked in report.picks.items():
        echo(f"pick, {rule}: {picked or 'none'}")
    if not report.exchanges:
        echo("no step gains in one objective and costs in another: these points trade nothing")
        return
    steps = [
        [
            f"{step.start} -> {step.end}",
            f"{step.gains} {step.gain:.3g}",
            f"{step.costs} {step.cost:.3g}",
            number(step.price, 3),
        ]
        for step in report.exchanges
    ]
    header = ["step", "gains", "costs", "price of 1"]
    echo_table("Exchange rates", header, steps, whole=1)


def _digits(values: tuple[float, ...]) -> int:
    """Return how many digits tell the values of an objective apart."""
    spread = max(values) - min(values)
    return 4 if not spread > 0.0 else min(max(4, 1 - math.floor(math.log10(spread))), 8)

"""How the result of a search of fusion weights looks in a terminal."""

from typing import TYPE_CHECKING

from paretorank.cli.console import echo, echo_table, note, number

if TYPE_CHECKING:
    from paretorank.workflows.fusion_result import Comparison, Fusion, Point


def echo_fusion(title: str, found: "Fusion") -> None:
    """Print what was compared on the test rows, what a front costs, and the chosen formula."""
    confidence = f"{found.confidence:.0%}"
    heading = f"{title}: test rows; difference from the baseline with {confidence} interval"
    metrics = [compared.metric for compared in found.points[0].tested]
    bounds = list(found.points[0].bounds)
    echo_table(
        heading,
        ["order", *metrics, *bounds],
        [_line(point, found) for point in found.points],
        whole=1,
    )
    if found.exchanges:
        echo_table(
            "What steps along the front cost, on the validation rows",
            ["from", "to", "gains", "by", "costs", "by", "price of one"],
            [
                [
                    *(step.start, step.end, step.gains, number(step.gain)),
                    *(step.costs, number(step.cost), number(step.price, 3)),
                ]
                for step in found.exchanges
            ],
        )
    if found.hypervolume is not None:
        echo(
            f"front: {found.n_front} points, hypervolume {found.hypervolume:.6g} from the baseline "
            "on (validation rows)"
        )
    echo(f"baseline: {found.points[0].formula}")
    echo(f"chosen: {found.chosen}, {found.rule}")
    echo(f"formula: {_rounded(found)}")
    for text in found.missed:
        echo(f"gate: {found.chosen} misses {text} on the test rows: {_by_how_much(text, found)}")
    for text in _remarks(found):
        note(text)


def _by_how_much(bound: str, found: "Fusion") -> str:
    """Return the metric of a bound beside that of the baseline."""
    metric = bound.rpartition("=")[0]
    at = [one.metric for one in found.best.tested].index(metric)
    today, here = found.points[0].tested[at], found.best.tested[at]
    return f"{number(here.value)}, baseline {number(today.value)}"


def _rounded(found: "Fusion") -> str:
    """Return the chosen formula with weights that can be read; files have all digits."""
    from paretorank.fusion import parse_formula

    weights = found.best.weights
    if not weights:
        return found.best.formula
    short = {name: float(f"{weight:.4g}") for name, weight in weights.items()}
    return str(parse_formula(found.free_formula).with_weights(short))


def _line(point: "Point", found: "Fusion") -> list[str]:
    marks = (" *" if point.name == found.chosen else "") + (" front" if point.is_on_front else "")
    is_baseline = point.name == found.points[0].name
    cells = [_cell(compared, is_baseline=is_baseline) for compared in point.tested]
    return [point.name + marks, *cells, *point.bounds.values()]


def _cell(compared: "Comparison", *, is_baseline: bool) -> str:
    value = number(compared.value)
    if is_baseline:
        return value
    low, high = compared.interval.low, compared.interval.high
    return f"{value}\n{compared.difference:+.4f} [{_signed(low)}, {_signed(high)}]"


def _signed(value: float) -> str:
    return "-" if value != value else f"{value:+.4f}"  # noqa: PLR0124 - NaN is undefined


def _remarks(found: "Fusion") -> list[str]:
    test = found.counts["test"]
    lists = (
        f"lists: rows of one {found.lists}; {test['lists']:,} on the test rows, of which "
        f"{test['lists of one row']:,} have one row and cannot be sorted otherwise"
    )
    tried = f"{found.n_trials} weights were tried, {found.n_kept} keep all bounds"
    remarks = [
        f"{tried} on the validation rows; start: the weights before the search",
        lists,
        f"intervals draw {test['users']:,} values of {found.clusters}",
        "gains on a log of what was shown are no promise: only a test on users is",
    ]
    remarks += _unproven(found)
    unsure = [text for text, status in found.best.bounds.items() if status == _NOISE]
    remarks += [f"{text} is {_NOISE} on the test rows" for text in unsure]
    return remarks


def _unproven(found: "Fusion") -> list[str]:
    """Return what was to be maximised and is not shown to be above the baseline."""
    if found.chosen == found.points[0].name:
        return []
    return [
        f"{one.metric} is not shown to be above that of the baseline on the test rows"
        for one in found.best.tested
        if one.metric in found.settings["maximise"] and not one.interval.low > 0.0
    ]


_NOISE = "kept, within the noise"

"""How values of other orders look in a terminal."""

from typing import TYPE_CHECKING

from paretorank.cli.console import echo, echo_table, note, number

if TYPE_CHECKING:
    from paretorank.off_policy import Overlap, ValueEstimate
    from paretorank.workflows.off_policy import OffPolicyReport


def echo_off_policy(title: str, report: "OffPolicyReport") -> None:
    """Print the values that are known, how much the log says, and why others are not known."""
    from paretorank.off_policy import ValueEstimate

    answers = [(one, *pair) for one in report.orders for pair in one.answers.items()]
    values = [
        _value(one.name, name, answer)
        for one, name, answer in answers
        if isinstance(answer, ValueEstimate)
    ]
    if values:
        header = ["order", "by", "value", "interval", "gain", "interval"]
        echo_table(f"{title}: {report.reward} per request", header, values)
    overlaps = {one.name: answer.overlap for one, _, answer in answers if answer.overlap}
    if overlaps:
        lines = [_overlap(name, overlap) for name, overlap in overlaps.items()]
        header = ["order", "requests", "worth", "mean weight", "largest", "its share", "support"]
        echo_table("Overlap with the log", header, lines)
    if report.examination:
        echo("looks: " + ", ".join(number(chance, 3) for chance in report.examination))
    echo(
        f"log: {number(report.logged)} {report.reward} per request, {report.n_requests:,} requests "
        f"of {report.n_users:,} users; scores {'calibrated' if report.is_calibrated else 'raw'}"
    )
    refusals = {
        f"{one.name}: {answer.reason}"
        for one, _, answer in answers
        if not isinstance(answer, ValueEstimate)
    }
    for text in sorted(refusals):
        echo(f"no number for {text}")
    for text in report.notes:
        note(text)


def _value(order: str, estimator: str, found: "ValueEstimate") -> list[str]:
    return [
        order,
        estimator,
        number(found.value),
        f"{number(found.low)} to {number(found.high)}",
        f"{found.gain:+.4f}",
        "-"
        if found.gain_low is None or found.gain_high is None
        else f"{found.gain_low:+.4f} to {found.gain_high:+.4f}",
    ]


def _overlap(order: str, overlap: "Overlap") -> list[str]:
    support = "-" if overlap.support is None else f"{overlap.support:.0%}"
    return [
        order,
        f"{overlap.n_requests:,}",
        f"{overlap.effective_size:,.0f}",
        f"{number(overlap.mean_weight, 3)} ± {number(overlap.mean_weight_error, 3)}",
        number(overlap.max_weight, 2),
        f"{overlap.largest_share:.1%}",
        support,
    ]

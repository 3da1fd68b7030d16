"""How a comparison looks in a terminal."""

from typing import TYPE_CHECKING

from paretorank.cli.console import echo, echo_table, note, number

if TYPE_CHECKING:
    from paretorank.evaluation import Comparison, Difference

_HEADER = ("task", "metric", "baseline", "run", "gain", "±", "p", "verdict")
_SMALLEST_P = 0.001
"""Smaller ones are not told apart."""


def echo_comparison(comparison: "Comparison") -> None:
    """Print one table per run, what it means in a sentence, and whether the gate is open.

    A gain above 0 is better, whatever the metric; verdicts and their p-values are corrected.
    """
    from paretorank.evaluation import in_words

    with_twins = comparison.baseline == "twins"
    note(
        "gain: above 0 is better, also where less is; "
        f"±: half of the {comparison.confidence:.0%} interval; {scores_in_words(comparison)}"
    )
    for run in comparison.runs:
        differences = comparison.of_run(run)
        lines = [_line(difference) for difference in differences]
        title = f"{run} against {comparison.baseline}: {comparison.n_rows:,} rows"
        echo_table(title, _HEADER, lines, whole=2)
        subject = f"sharing ({run})" if with_twins else run
        echo(in_words(comparison, run, subject=subject))
        for text in dict.fromkeys(f"{d.name}: {d.note}" for d in differences if d.note):
            note(text)
    for failure in comparison.failures:
        echo(f"gate: {failure.run} fails {failure.name}: {_reason(comparison, failure)}")
    if comparison.passed:
        echo(f"gate: passed, {_meaning(comparison)}")


def scores_in_words(comparison: "Comparison") -> str:
    """Return whose scores are calibrated."""
    names = (comparison.baseline, *comparison.runs)
    raw = [name for name in names if name not in comparison.calibrated]
    if not raw:
        return "scores are calibrated"
    if len(raw) == len(names):
        return "scores as the models give them"
    return (
        f"scores of {', '.join(comparison.calibrated)} are calibrated, of {', '.join(raw)} not, "
        "which log loss, NE, PCOC and ECE feel; --raw takes all as the models give them"
    )


def _reason(comparison: "Comparison", failure: "Difference") -> str:
    interval = f"gain {failure.gain.value:+.4f} ({failure.low:+.4f} to {failure.high:+.4f})"
    if comparison.gate.require_non_inferior:
        return f"{interval}, not shown to be above {0.0 - comparison.gate.tolerance:g}"
    return f"{interval}, worse with confidence{_beyond(comparison)}"


def _meaning(comparison: "Comparison") -> str:
    if comparison.gate.require_non_inferior:
        return f"every guarded metric is shown not to be worse{_beyond(comparison)}"
    return f"no guarded metric is worse with confidence{_beyond(comparison)}"


def _beyond(comparison: "Comparison") -> str:
    """Return by how much a metric may be worse."""
    tolerance = comparison.gate.tolerance
    return f" by more than {tolerance:g}" if tolerance else ""


def _line(difference: "Difference") -> list[str]:
    digits = 2 if abs(difference.baseline) >= 10 else 4  # noqa: PLR2004 - seconds
    half = (difference.high - difference.low) / 2
    p = difference.p_corrected if difference.is_guarded else difference.p
    return [
        f"{difference.task}\n{difference.space}" if difference.is_main else difference.task,
        difference.metric.replace("normalized_entropy", "NE").replace("_", " "),
        number(difference.baseline, digits),
        number(difference.value, digits),
        _signed(difference.gain.value, digits),
        number(half, digits),
        f"<{_SMALLEST_P}" if p < _SMALLEST_P else number(p, 3),
        difference.verdict or "",
    ]


def _signed(value: float, digits: int) -> str:
    return number(value) if value != value else f"{value:+.{digits}f}"  # noqa: PLR0124 - NaN

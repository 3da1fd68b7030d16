"""How a comparison looks in a terminal."""

from typing import TYPE_CHECKING

from paretorank.cli.console import echo, echo_table, note, number

if TYPE_CHECKING:
    from paretorank.evaluation import Comparison, Difference

_HEADER = ("task", "metric", "baseline", "run", "gain", "±", "p", "verdict")


def echo_comparison(comparison: "Comparison") -> None:
    """Print one table per run, what it means in a sentence, and whether the gate is open.

    A gain above 0 is better, whatever the metric; verdicts and their p-values are corrected.
    """
    from paretorank.evaluation import in_words

    with_twins = comparison.baseline == "twins"
    for run in comparison.runs:
        differences = comparison.of_run(run)
        lines = [_line(difference) for difference in differences]
        echo_table(f"{run} against {comparison.baseline}", _HEADER, lines, whole=2)
        subject = f"sharing ({run})" if with_twins else run
        echo(in_words(comparison, run, subject=subject))
        for text in dict.fromkeys(f"{d.name}: {d.note}" for d in differences if d.note):
            note(text)
    gate = comparison.gate
    for failure in comparison.failures:
        echo(f"gate: {failure.run} fails {failure.name} ({_reason(comparison, failure)})")
    if comparison.passed:
        kept = "is shown to be" if gate.require_non_inferior else "is, with confidence,"
        worse = "no worse" if gate.require_non_inferior else "worse"
        who = "every guarded metric" if gate.require_non_inferior else "no guarded metric"
        echo(f"gate: passed; {who} {kept} {worse} than {-gate.tolerance + 0.0:+g}")


def _reason(comparison: "Comparison", failure: "Difference") -> str:
    gain, tolerance = failure.gain.value, comparison.gate.tolerance
    interval = f"{number(failure.low)} to {number(failure.high)}"
    if comparison.gate.require_non_inferior:
        return f"gain {gain:+.4f}, {interval}: not shown to be above {-tolerance + 0.0:+g}"
    return f"gain {gain:+.4f}, {interval}: below {-tolerance + 0.0:+g} with confidence"


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
        number(p, 3),
        difference.verdict or "",
    ]


def _signed(value: float, digits: int) -> str:
    return number(value) if value != value else f"{value:+.{digits}f}"  # noqa: PLR0124 - NaN

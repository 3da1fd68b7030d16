"""The see-saw report: what a run is better at, what it pays with, in a sentence."""

import math
from dataclasses import dataclass

from paretorank.evaluation.comparison import Comparison
from paretorank.evaluation.difference import Difference


@dataclass(frozen=True)
class Seesaw:
    """The tasks of a run by verdict, each by its main metric in its own sample space."""

    better: tuple[Difference, ...]
    worse: tuple[Difference, ...]
    same: tuple[Difference, ...]
    """Nobody can tell on these rows; not: equal."""
    open: tuple[Difference, ...]
    """Not guarded, or not known."""

    @property
    def is_seesaw(self) -> bool:
        """Whether some tasks pay for others."""
        return bool(self.better and self.worse)


def seesaw(comparison: Comparison, run: str) -> Seesaw:
    """Sort the tasks of a run by what became of them."""
    main = [d for d in comparison.of_run(run) if d.is_own and d.is_main]

    def having(verdict: str | None) -> tuple[Difference, ...]:
        return tuple(difference for difference in main if difference.verdict == verdict)

    return Seesaw(having("better"), having("worse"), having("same"), having(None))


def in_words(comparison: Comparison, run: str, *, subject: str) -> str:
    """Return what became of the tasks, such as "sharing pays for like (+0.0040 ± 0.0020); ...".

    Args:
        comparison: holds the run.
        run: its name.
        subject: what is to be praised or blamed, such as "sharing".
    """
    found = seesaw(comparison, run)
    said = []
    if found.better:
        said.append(f"pays for {_listed(found.better)}")
    if found.worse:
        said.append(f"costs {_listed(found.worse)}")
    nothing = "changes no task with confidence" if found.same else "has no task judged"
    parts = [f"{subject} {', '.join(said) or nothing}"]
    if found.same:
        parts.append(f"no difference shown for {_listed(found.same)}")
    if found.open:
        parts.append(f"not judged: {_listed(found.open)}")
    return "; ".join([*parts, _delta_m(comparison, run)]) + "."


def _listed(differences: tuple[Difference, ...]) -> str:
    return ", ".join(
        f"{d.task} ({_plus_minus(d.gain.value, d.low, d.high, 4)})" for d in differences
    )


def _delta_m(comparison: Comparison, run: str) -> str:
    gain = comparison.mean_gain(run)
    value, low, high = (100.0 * number for number in (gain.value, gain.low, gain.high))
    text = "Δm = " + _plus_minus(value, low, high, 2)
    text += "" if math.isnan(value) else " %"
    n_tasks = len(gain.tasks) + len(gain.left_out)
    return text + (f" over {len(gain.tasks)} of {n_tasks} tasks" if gain.left_out else "")


def _plus_minus(value: float, low: float, high: float, digits: int) -> str:
    if math.isnan(value):
        return "unknown"
    spread = "" if math.isnan(low) else f" ± {(high - low) / 2:.{digits}f}"
    return f"{value:+.{digits}f}{spread}"

"""The difference between two runs in one metric, and how sure it is.

Estimate and standard deviation come from paired draws; interval and p-value from Student's t with
them. Counting draws beyond 0 instead gives no p-value below 2/R, and after a correction for many
comparisons nothing would ever be found.

Shapes: R resamples.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from jaxtyping import Float
from scipy.special import stdtr, stdtrit

from paretorank.metrics import Metric

Verdict = Literal["better", "worse", "same"]
_FEWEST_DRAWS: Final = 10
IMPRESSIONS: Final = "@impressions"
"""Ends the name of a guard that looks at all impressions instead of the task's own space."""


@dataclass(frozen=True)
class Estimate:
    """A number with its standard error; NaN where it is not known."""

    value: float
    standard_error: float
    degrees: int
    """Clusters less one: how well the standard error itself is known."""

    @classmethod
    def of_draws(cls, value: float, draws: Float[np.ndarray, " R"], n_clusters: int) -> "Estimate":
        """Return the value with the spread of those of its draws that are defined."""
        known = draws[np.isfinite(draws)]
        enough = len(known) >= _FEWEST_DRAWS and not math.isnan(value) and n_clusters > 1
        error = float(known.std(ddof=1)) if enough else math.nan
        return cls(value, error, n_clusters - 1)

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return where the value of a fresh sample of users would probably lie around."""
        if math.isnan(self.standard_error):
            return math.nan, math.nan
        half = float(stdtrit(self.degrees, 0.5 + 0.5 * confidence)) * self.standard_error
        return self.value - half, self.value + half

    def p_value(self, against: float = 0.0) -> float:
        """Return the two-sided chance of being this far from `against` if that were the truth."""
        if math.isnan(self.standard_error):
            return math.nan
        shift = abs(self.value - against)
        if shift == 0.0:
            return 1.0
        if self.standard_error == 0.0:
            return 0.0
        return 2.0 * float(stdtr(self.degrees, -shift / self.standard_error))


@dataclass(frozen=True)
class Difference:
    """One metric of one task in one sample space, of a run and of the baseline."""

    run: str
    task: str
    space: str
    is_own: bool
    """Whether the space is the task's own, not that of all impressions."""
    is_main: bool
    """Whether the metric speaks for the task."""
    is_missing: bool
    """Whether one of the two has no such task or space."""
    metric: str
    baseline: float
    value: float
    gain: Estimate
    """How much better the run is: positive is better, whatever the metric."""
    low: float
    high: float
    p: float
    """Two-sided, not corrected."""
    n_rows: int
    n_clusters: int
    note: str | None
    is_guarded: bool = False
    p_corrected: float = math.nan
    """Among all guarded differences; NaN where not guarded."""
    verdict: Verdict | None = None
    """After correction; None where not guarded or not known."""
    fails: bool = False
    """Whether the gate stays shut because of it."""

    @property
    def name(self) -> str:
        """What guards call it."""
        return f"{self.task}.{self.metric}" + ("" if self.is_own else IMPRESSIONS)

    def to_json(self) -> dict[str, str | float | bool | None]:
        """Return all fields, ready for a JSON file."""
        return {**vars(self), "gain": self.gain.value, "standard_error": self.gain.standard_error}


def goodness(metric: type[Metric], draws: Float[np.ndarray, " R"]) -> Float[np.ndarray, " R"]:
    """Return the draws turned so that higher is better, see `Metric.goodness`."""
    return draws if metric.higher_is_better else -np.abs(draws - metric.best)

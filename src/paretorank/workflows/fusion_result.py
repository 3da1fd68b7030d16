"""What a search of fusion weights found: a formula, why this one, and what it is worth."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from paretorank.evaluation import Interval
from paretorank.foundation.errors import ConfigError, RunError
from paretorank.foundation.files import read_json, write_json
from paretorank.fusion import Formula, parse_formula
from paretorank.pareto import Exchange

RESULT_FILE: Final = "fusion.json"
Status = Literal["kept with confidence", "kept, within the noise", "missed"]


@dataclass(frozen=True)
class Comparison:
    """One metric of one point on the test rows."""

    metric: str
    value: float
    difference: float
    """From the baseline."""
    interval: Interval
    """Of the difference."""


@dataclass(frozen=True)
class Point:
    """One way to fuse, measured."""

    name: str
    formula: str
    """With numbers in the place of weights."""
    weights: Mapping[str, float]
    """Of the free formula; empty for a formula of its own."""
    searched: Mapping[str, float]
    """Metrics on the validation rows."""
    tested: tuple[Comparison, ...]
    """Metrics on the test rows, which the search did not see."""
    bounds: Mapping[str, Status]
    """On the test rows."""
    is_on_front: bool


@dataclass(frozen=True)
class Fusion:
    """Result of a search; the first point is the baseline."""

    points: tuple[Point, ...]
    chosen: str
    """Name of the point to take."""
    rule: str
    """Why this one."""
    free_formula: str
    lists: str
    """Column of the log whose rows are sorted together."""
    clusters: str
    """What is drawn for intervals."""
    confidence: float
    counts: Mapping[str, Mapping[str, int]]
    """Rows, lists and users of each split."""
    n_trials: int
    n_kept: int
    """Trials that keep all bounds on the validation rows."""
    n_front: int
    """Points of the front, of which some are shown; 0 with one metric."""
    hypervolume: float | None
    """Of the front on the validation rows, from the baseline on; None with one metric."""
    exchanges: tuple[Exchange, ...]
    settings: Mapping[str, Any]

    @property
    def best(self) -> Point:
        """Return the point to take."""
        return next(point for point in self.points if point.name == self.chosen)

    @property
    def missed(self) -> tuple[str, ...]:
        """Return the bounds that the point to take does not keep on the test rows."""
        return tuple(text for text, status in self.best.bounds.items() if status == "missed")

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values, the formula first."""
        prices = [{**asdict(step), "price": step.price} for step in self.exchanges]
        best = {
            "formula": self.best.formula,
            "weights": dict(self.best.weights),
            "bounds_hold": not self.missed,
        }
        return {**best, **asdict(self), "exchanges": prices}

    def write(self, folder: Path) -> Path:
        """Write the result into a folder and return the file."""
        path = folder / RESULT_FILE
        write_json(path, self.to_json())
        return path


@dataclass(frozen=True)
class ReadyFusion:
    """A formula with its numbers, as `predict` uses it."""

    formula: Formula
    lists: str
    calibration: str = ""
    """Digest of the calibration that scores went through before; empty for none."""
    weights: str = ""
    """Digest of the weights that gave the scores; empty where nobody wrote it down."""
    preference: Mapping[str, float] | None = None
    """What the model was told to prefer; None is its default."""

    def check(self, calibration: str, weights: str, place: Path) -> None:
        """Refuse scores that are not those of the search.

        Args:
            calibration: digest of the calibration that scores go through; empty for none.
            weights: digest of the weights that give them.
            place: the file, for messages.

        Raises:
            RunError: the run was trained, calibrated, or calibrated anew, after the search, or
                scores are asked for without.
        """
        hint = "Run `paretorank fuse` again, into another folder or after removing this one."
        if self.weights and weights != self.weights:
            raise RunError(f"{place}: the run was trained again after the search.", hint=hint)
        if calibration != self.calibration:
            was = "calibrated in another way" if self.calibration else "not calibrated"
            raise RunError(
                f"{place}: the weights were searched on scores that were {was}.", hint=hint
            )


def read_fusion(path: Path) -> ReadyFusion:
    """Read the formula of a result.

    Raises:
        RunError: the file is missing, or is none of `fuse`.
    """
    if not path.exists():
        raise RunError(
            f"{path} does not exist: no weights were searched for this run.",
            hint=f"Search them: paretorank fuse {path.parent.parent} --maximise TASK.ndcg@10.",
        )
    facts = read_json(path)
    try:
        formula = parse_formula(facts["formula"], place=str(path))
        settings = facts["settings"]
        calibration, weights = (str(settings.get(name, "")) for name in ("calibration", "weights"))
        told = settings.get("preference")
        preference = None if told is None else {str(k): float(v) for k, v in told.items()}
        return ReadyFusion(formula, str(facts["lists"]), calibration, weights, preference)
    except (KeyError, TypeError, AttributeError, ValueError, ConfigError) as error:
        raise RunError(
            f"{path} is damaged: {error}.", hint="Run `paretorank fuse` again; it keeps its trials."
        ) from None

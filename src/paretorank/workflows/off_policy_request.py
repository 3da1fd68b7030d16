"""What is asked about other rankings, and of which kind the log is."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from paretorank.config import RunConfig
from paretorank.evaluation import VALUE
from paretorank.foundation.errors import ConfigError
from paretorank.foundation.suggestions import did_you_mean
from paretorank.fusion import Formula, parse_formula
from paretorank.off_policy.result import check_confidence
from paretorank.schema import SplitName
from paretorank.workflows.calibrated import calibration_digest, weights_digest
from paretorank.workflows.fusion_formulas import alone_formula
from paretorank.workflows.fusion_request import parse_worth
from paretorank.workflows.fusion_result import read_fusion
from paretorank.workflows.run_folder import RunFolder

FUSED: Final = "fused"
"""Name of the order by the formula that a search has found."""


@dataclass(frozen=True)
class OffPolicyRequest:
    """What is asked; exactly one of `position` and `propensity` is given."""

    position: str | None = None
    """Column with the place at which a row was shown; the log holds whole lists."""
    propensity: str | None = None
    """Column with the chance of having been shown; the log holds all candidates, one shown."""
    shown: str | None = None
    """Column that is true for the shown candidate; where absent, the one whose reward is known."""
    reward: str | None = None
    """Task whose label is the reward; the first one where absent."""
    value: str | None = None
    """Reward from several labels, such as "click=1,like=5"."""
    by: tuple[str, ...] = ()
    """Tasks whose chance on any impression sorts."""
    formulas: tuple[str, ...] = ()
    """Formulas that sort."""
    fused: bool = False
    """Whether the formula that `fuse` has found sorts, too."""
    n_places: int | None = None
    """How many places from the top count."""
    examination: tuple[float, ...] = ()
    """Chances that places are looked at; fitted where absent."""
    examination_from: str | None = None
    """Task whose labels show who looked; the reward where absent."""
    temperature: float | None = None
    """Of a policy that draws by its scores; where absent, the highest score is shown."""
    rows: pl.LazyFrame | None = None
    """New rows; a split of the run's own log without them."""
    split: SplitName = "test"
    is_raw: bool = False
    """Whether scores are taken as the model gives them, although the run is calibrated."""
    confidence: float = 0.95


@dataclass(frozen=True)
class Question:
    """A request that fits the run."""

    reward: str
    """A task, or "value"."""
    worth: dict[str, float]
    """What labels are worth; empty where the reward is one of them."""
    guess: Formula
    """The expected reward, by the model."""
    orders: dict[str, Formula]
    """What sorts, by name."""
    looked: str
    """Task whose labels show which places are looked at."""

    def log_columns(self, tasks: Sequence[str]) -> dict[str, str]:
        """Return the columns of the log that formulas read."""
        names = [name for formula in self.orders.values() for name in formula.columns]
        return {name: "--formula" for name in names if name not in tasks}


def refuse_contradictions(request: OffPolicyRequest) -> None:
    """Refuse what cannot be answered for any run.

    Raises:
        ConfigError: an option is missing, out of range, or does not go with another.
        ValueError: the confidence is not between 0 and 1.
    """
    if (request.position is None) == (request.propensity is None):
        raise ConfigError(
            "Exactly one of --position and --propensity must be given.",
            hint="--position COLUMN for lists that were shown whole; --propensity COLUMN for "
            "candidates of which one was shown, with a known chance.",
        )
    of_position = {
        "--k": request.n_places is not None,
        "--examination": bool(request.examination),
        "--examination-from": request.examination_from is not None,
    }
    of_propensity = {
        "--shown": request.shown is not None,
        "--temperature": request.temperature is not None,
    }
    is_by_position = request.position is not None
    kind = "--position" if is_by_position else "--propensity"
    for option, is_given in (of_propensity if is_by_position else of_position).items():
        if is_given:
            raise ConfigError(
                f"{option} does not go with {kind}.", hint="`--help` says what needs which column."
            )
    if request.reward is not None and request.value is not None:
        raise ConfigError("--reward and --value are both given.", hint="Give one of them.")
    if request.examination and request.examination_from is not None:
        raise ConfigError(
            "--examination and --examination-from are both given.",
            hint="Give the chances that places are looked at, or the task to fit them to.",
        )
    _refuse_out_of_range(request)


def _refuse_out_of_range(request: OffPolicyRequest) -> None:
    check_confidence(request.confidence)
    temperature = request.temperature
    if temperature is not None and not (temperature > 0.0 and math.isfinite(temperature)):
        raise ConfigError(
            f"--temperature must be above 0, got {temperature}.",
            hint="Leave it out for a ranking that shows the highest score.",
        )
    if request.n_places is not None and request.n_places < 1:
        raise ConfigError(
            f"--k must be at least 1, got {request.n_places}.",
            hint="Leave it out to count all places.",
        )
    chances = request.examination
    if chances and not (all(0.0 <= chance <= 1.0 for chance in chances) and chances[0] > 0.0):
        raise ConfigError(
            f"--examination must hold chances, the first above 0, got {list(chances)}.",
            hint="For instance --examination 1,0.7,0.5: place by place, from the top.",
        )


def question_of(
    request: OffPolicyRequest, folder: RunFolder, config: RunConfig, columns: Sequence[str]
) -> Question:
    """Return what is asked of a run; formulas may read the columns of the log.

    Raises:
        ConfigError: a task does not exist, or a formula cannot be read.
        RunError: no weights were searched, or the run has changed since.
    """
    tasks = tuple(config.tasks)
    if config.data.keys.request is None:
        raise ConfigError(
            "data.keys.request must name the list that was shown, and is not set.",
            hint="Train with the column of the request named in [data.keys].",
        )
    worth = parse_worth(request.value, tasks) if request.value is not None else {}
    for option, name in (
        ("--reward", request.reward),
        ("--examination-from", request.examination_from),
        *(("--by", name) for name in request.by),
    ):
        if name is not None and name not in tasks:
            raise ConfigError(
                f"{option} must name a task, got {name!r}.", hint=did_you_mean(name, tasks)
            )
    reward = VALUE if worth else request.reward or tasks[0]
    return Question(
        reward,
        worth,
        _guess(reward, worth, config),
        _orders(request, folder, config, [*tasks, *columns]),
        request.examination_from or reward,
    )


def _guess(reward: str, worth: dict[str, float], config: RunConfig) -> Formula:
    if not worth:
        return alone_formula(reward, config)
    terms = [f"{amount!r} * {alone_formula(task, config)}" for task, amount in worth.items()]
    return parse_formula(" + ".join(terms), place="--value")


def _orders(
    request: OffPolicyRequest, folder: RunFolder, config: RunConfig, known: Sequence[str]
) -> dict[str, Formula]:
    found = {name: alone_formula(name, config) for name in request.by}
    for text in dict.fromkeys(request.formulas):
        formula = parse_formula(text, columns=known, place="--formula")
        if formula.weights:
            raise ConfigError(
                f"--formula {text}: it must not have free weights, got ${formula.weights[0]}.",
                hint="Write numbers; `fuse` searches them.",
            )
        found[_unused(text, found)] = formula
    if request.fused:
        fusion = read_fusion(folder.fusion_path)
        digest = "" if request.is_raw else calibration_digest(folder)
        fusion.check(digest, weights_digest(folder), folder.fusion_path)
        found[_unused(FUSED, found)] = fusion.formula
    if not found:
        first = request.reward or next(iter(config.tasks))
        found[first] = alone_formula(first, config)
    return found


def _unused(name: str, found: Mapping[str, Formula]) -> str:
    """Return a name that tells an order by a formula from one by a task of the same name."""
    return name if name not in found else _unused(f"formula {name}", found)

"""The value of other rankings of a logged feed, or the reason why the log cannot tell.

Shapes: N rows, K places.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, get_args

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from paretorank.config import RunConfig
from paretorank.data.ingest import prepare_frame
from paretorank.foundation.errors import DataError
from paretorank.foundation.progress import Listener, silent
from paretorank.fusion import Formula
from paretorank.off_policy import (
    Estimator,
    LoggedChoices,
    Refusal,
    ValueEstimate,
    estimate_by_position,
    estimate_value,
    softmax_chances,
    top_one_chances,
)
from paretorank.workflows.calibrated import read_calibration, score_as_served
from paretorank.workflows.fusion_formulas import log_columns
from paretorank.workflows.fusion_result import read_fusion
from paretorank.workflows.fusion_rows import FusionRows, fusion_rows
from paretorank.workflows.ingest import ingest_request
from paretorank.workflows.off_policy_request import (
    OffPolicyRequest,
    Question,
    question_of,
    refuse_contradictions,
)
from paretorank.workflows.off_policy_rows import (
    LoggedLists,
    choices_of,
    first_place,
    fit_examination,
    known_requests,
    numbers_of,
    places_of,
)
from paretorank.workflows.preference_notes import preference_notes
from paretorank.workflows.run_folder import RunFolder

Answer = ValueEstimate | Refusal
_FITTED: Final = (
    "chances of a look are fitted, and intervals take them as known; where the log shows rows "
    "higher to those who like them, the fit is wrong by more than a gain may be, so gains have no "
    "interval; --examination gives known chances"
)


@dataclass(frozen=True)
class OrderValue:
    """One order, and what it would have brought."""

    name: str
    formula: str
    answers: Mapping[str, Answer]
    """By estimator."""


@dataclass(frozen=True)
class OffPolicyReport:
    """What a log says about other orders of it."""

    reward: str
    orders: tuple[OrderValue, ...]
    logged: float
    """Mean reward per request of what was shown."""
    n_requests: int
    n_users: int
    n_left_out: int
    """Requests whose reward is not known."""
    examination: tuple[float, ...]
    """Chance that each place is looked at, relative to the one most looked at; empty where
    propensities are known."""
    is_calibrated: bool
    notes: tuple[str, ...]

    @property
    def is_refused(self) -> bool:
        """Whether some number could not be given."""
        return any(isinstance(a, Refusal) for one in self.orders for a in one.answers.values())

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        orders = [
            {
                "name": one.name,
                "formula": one.formula,
                "answers": {name: answer.to_json() for name, answer in one.answers.items()},
            }
            for one in self.orders
        ]
        facts = {name: value for name, value in vars(self).items() if name != "orders"}
        return {**facts, "is_refused": self.is_refused, "orders": orders}


@dataclass(frozen=True)
class _Case:
    """A question with the rows that answer it."""

    folder: RunFolder
    config: RunConfig
    request: OffPolicyRequest
    question: Question
    columns: pl.DataFrame
    rows: FusionRows
    first: int
    """What the log calls the top."""

    @property
    def reward(self) -> Float[np.ndarray, " N"]:
        """Reward of each row; NaN where it is not known."""
        return self.rows.labels[self.question.reward]


def off_policy_run(
    folder: RunFolder, request: OffPolicyRequest, *, listener: Listener = silent
) -> OffPolicyReport:
    """Return what orders by a finished run would have brought on logged requests.

    Raises:
        ConfigError: the request does not fit the run.
        DataError: a column is missing or does not hold what it should, or no reward is known.
        RunError: the log is not as it was, or the run has changed since its weights were searched.
    """
    refuse_contradictions(request)
    config = folder.read_config()
    known = log_columns(config, request.rows, split_from=folder.split_from)
    question = question_of(request, folder, config, known)
    asked = {
        "--position": request.position,
        "--propensity": request.propensity,
        "--shown": request.shown,
    }
    columns = {name: option for option, name in asked.items() if name is not None}
    of_formulas = question.log_columns(tuple(config.tasks))
    first = _first_place(folder, config, request)
    fixed = _fixed_position(request.position, folder, first)
    log = score_as_served(
        folder,
        rows=request.rows,
        split=request.split,
        columns={**of_formulas, **columns},
        is_raw=request.is_raw,
        fixed=fixed,
        listener=listener,
    )
    part = "new" if request.rows is not None else request.split
    rows = fusion_rows(
        replace(log, columns=log.columns.select(list(of_formulas))),
        by_request=True,
        worth=question.worth,
        split=part,
    )
    case = _Case(folder, config, request, question, log.columns, rows, first)
    report = _by_position(case) if request.position is not None else _by_propensity(case)
    notes = _position_notes(request.position, config, fixed)
    notes += tuple(_preference_notes(folder, request))
    calibrated = not request.is_raw and read_calibration(folder) is not None
    return replace(report, is_calibrated=calibrated, notes=(*notes, *report.notes))


def _first_place(folder: RunFolder, config: RunConfig, request: OffPolicyRequest) -> int:
    if request.position is None:
        return 1
    wanted = ingest_request(config, request.rows, split_from=folder.split_from)
    first = first_place(prepare_frame(wanted, with_split=False), request.position)
    if request.rows is None or first == 0:
        return first
    try:  # new rows may hold no top place; what the model has learnt from says how it is called
        learnt = ingest_request(config, split_from=folder.split_from)
        return first_place(prepare_frame(learnt, with_split=False), request.position)
    except DataError:  # that log is gone, or has no such column
        return first


def _fixed_position(position: str | None, folder: RunFolder, first: int) -> dict[str, float]:
    """Return the place that the model is told for all rows, if it reads one: the top."""
    if position is None or position not in folder.read_encoder().columns:
        return {}
    return {position: float(first)}


def _position_notes(
    position: str | None, config: RunConfig, fixed: Mapping[str, float]
) -> tuple[str, ...]:
    if not fixed:
        return ()
    hidden = config.model.position
    if hidden and (config.features[hidden].column or hidden) == position:
        return ()
    return (f"{position} is an input of the model; every row was scored as if shown at the top",)


def _preference_notes(folder: RunFolder, request: OffPolicyRequest) -> list[str]:
    fusion = read_fusion(folder.fusion_path) if request.fused else None
    return preference_notes(folder, None, is_calibrated=not request.is_raw, fusion=fusion)


def _by_position(case: _Case) -> OffPolicyReport:
    rows, request = case.rows, case.request
    kept = known_requests(rows.request, np.isfinite(case.reward))
    _refuse_nothing(kept, case.question.reward)
    place = places_of(case.columns[str(request.position)], case.first)
    lists = LoggedLists(rows.request[kept], place[kept], case.reward[kept], rows.cluster[kept])
    looks, n_places = _looks(case), request.n_places
    if not isinstance(looks, Refusal):
        n_places = min(n_places or len(looks), len(looks))

    def answers(formula: Formula) -> dict[str, Answer]:
        if isinstance(looks, Refusal):
            return {"position": looks}
        found = estimate_by_position(
            lists.request,
            lists.place,
            lists.reward,
            lists.reordered(rows.fused(formula)()[kept]),
            looks,
            user=lists.user,
            n_places=n_places,
            confidence=request.confidence,
        )
        if isinstance(found, ValueEstimate) and not request.examination:
            found = found.without_gain_interval()
        return {"position": found}

    report = _report(case, answers, lists.total(n_places), kept)
    if isinstance(looks, Refusal):
        return report
    notes = report.notes if request.examination else (*report.notes, _FITTED)
    return replace(report, examination=tuple(looks.tolist()), notes=notes)


def _looks(case: _Case) -> Float[np.ndarray, " K"] | Refusal:
    """Return the chances that places are looked at, as given or fitted."""
    request = case.request
    if request.examination:
        return np.array(request.examination)
    return fit_examination(
        case.config,
        str(request.position),
        case.first,
        case.question.looked,
        rows=request.rows,
        split_from=case.folder.split_from,
    )


def _by_propensity(case: _Case) -> OffPolicyReport:
    rows, request, reward = case.rows, case.request, case.reward
    propensity = numbers_of(case.columns[str(request.propensity)], "--propensity")
    is_shown = np.isfinite(reward)
    if request.shown is not None:
        is_shown = numbers_of(case.columns[request.shown], "--shown") > 0.0
    choices, kept = choices_of(rows.request, rows.cluster, reward, propensity, is_shown)
    _refuse_nothing(kept, case.question.reward)
    guess = rows.fused(case.question.guess)()[kept]

    def answers(formula: Formula) -> dict[str, Answer]:
        chance = _chances(rows.fused(formula)()[kept], choices, request.temperature)
        return {
            name: estimate_value(
                choices,
                chance,
                estimator=name,
                expected_reward=guess,
                confidence=request.confidence,
            )
            for name in get_args(Estimator)
        }

    return _report(case, answers, choices.shown(choices.reward), kept)


def _chances(
    score: Float[np.ndarray, " N"], choices: LoggedChoices, temperature: float | None
) -> Float[np.ndarray, " N"]:
    if temperature is None:
        return top_one_chances(score, choices.request)
    return softmax_chances(score, choices.request, temperature=temperature)


def _report(
    case: _Case,
    answers: Callable[[Formula], dict[str, Answer]],
    logged: Float[np.ndarray, " requests"],
    kept: Bool[np.ndarray, " N"],
) -> OffPolicyReport:
    orders = [
        OrderValue(name, str(formula), answers(formula))
        for name, formula in case.question.orders.items()
    ]
    left_out = len(np.unique(case.rows.request)) - len(logged)
    notes = [f"{left_out:,} requests are left out: their reward is not known"] * bool(left_out)
    return OffPolicyReport(
        reward=case.question.reward,
        orders=tuple(orders),
        logged=float(logged.mean()),
        n_requests=len(logged),
        n_users=len(np.unique(case.rows.cluster[kept])),
        n_left_out=left_out,
        examination=(),
        is_calibrated=False,
        notes=tuple(notes),
    )


def _refuse_nothing(kept: Bool[np.ndarray, " N"], reward: str) -> None:
    if not kept.any():
        raise DataError(
            f"No request is left: none has a known reward ({reward}) for all that was shown.",
            hint="Are the labels there, and have they matured? Name another --reward.",
        )

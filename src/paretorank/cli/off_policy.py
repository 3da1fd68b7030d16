"""`paretorank off-policy`: what another order would have brought, from a log of the one shown."""

from pathlib import Path
from typing import TYPE_CHECKING

from typer import Exit

from paretorank.cli import off_policy_options as options
from paretorank.cli.console import GATE_FAILED, echo_json, progress_bars
from paretorank.cli.names import check_tasks, task_kinds
from paretorank.cli.off_policy_table import echo_off_policy
from paretorank.cli.options import AsJson, Confidence, NewRows, RawScores, RunPath, Split
from paretorank.foundation.errors import ConfigError

if TYPE_CHECKING:
    from paretorank.workflows.off_policy import OffPolicyReport
    from paretorank.workflows.off_policy_request import OffPolicyRequest


def off_policy(
    run: RunPath,
    position: options.Position = None,
    propensity: options.Propensity = None,
    shown: options.Shown = None,
    reward: options.Reward = None,
    value: options.Worth = None,
    by: options.By = [],
    formula: options.FormulaTexts = [],
    fused: options.Fused = False,
    k: options.Places = None,
    examination: options.Examination = "",
    examination_from: options.ExaminationFrom = None,
    temperature: options.Temperature = None,
    data: NewRows = None,
    split: Split = "test",
    confidence: Confidence = 0.95,
    raw: RawScores = False,
    as_json: AsJson = False,
) -> None:
    """Estimate what other orders would have brought, with intervals by user.

    Lists that were shown whole need --position; requests of which one candidate was shown, with a
    known chance, need --propensity. Exits with 3 where the log cannot tell, and says why.
    """
    chances = _chances(examination)
    _check_names(run, reward, by, examination_from)
    from paretorank.data.source import as_frame
    from paretorank.workflows.off_policy_request import OffPolicyRequest  # imports torch

    request = OffPolicyRequest(
        position=position,
        propensity=propensity,
        shown=shown,
        reward=reward,
        value=value,
        by=tuple(by),
        formulas=tuple(formula),
        fused=fused,
        n_places=k,
        examination=chances,
        examination_from=examination_from,
        temperature=temperature,
        rows=None if data is None else as_frame(data),
        split=split,
        is_raw=raw,
        confidence=confidence,
    )
    report = _asked(run, request)
    if as_json:
        echo_json(report.to_json())
    else:
        echo_off_policy(f"{run}: {data or split + ' rows'}", report)
    if report.is_refused:
        raise Exit(GATE_FAILED)


def _check_names(run: Path, reward: str | None, by: list[str], looked: str | None) -> None:
    kinds = task_kinds([run])
    check_tasks("--reward", filter(None, [reward]), kinds)
    check_tasks("--by", by, kinds)
    check_tasks("--examination-from", filter(None, [looked]), kinds)


def _asked(run: Path, request: "OffPolicyRequest") -> "OffPolicyReport":
    from paretorank.workflows.off_policy import off_policy_run
    from paretorank.workflows.run_folder import RunFolder

    with progress_bars() as listener:
        return off_policy_run(RunFolder(run), request, listener=listener)


def _chances(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(",") if text)
    except ValueError:
        raise ConfigError(
            f"--examination {text} is not a list of numbers.",
            hint="For instance --examination 1,0.7,0.5: place by place, from the top.",
        ) from None

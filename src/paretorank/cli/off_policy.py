"""`paretorank off-policy`: what another order would have brought, from a log of the one shown."""

from pathlib import Path
from typing import Annotated, Literal

from typer import Exit, Option

from paretorank.cli.console import echo_json, progress_bars
from paretorank.cli.names import check_tasks, task_kinds
from paretorank.cli.off_policy_table import echo_off_policy
from paretorank.cli.options import AsJson, RawScores, RunPath
from paretorank.foundation.errors import ConfigError

GATE_FAILED = 3


def off_policy(
    run: RunPath,
    position: Annotated[
        str | None,
        Option(metavar="COLUMN", help="Place in a list that was shown whole."),
    ] = None,
    propensity: Annotated[
        str | None,
        Option(metavar="COLUMN", help="Chance with which each candidate would have been shown."),
    ] = None,
    shown: Annotated[
        str | None,
        Option(metavar="COLUMN", help="Marks the shown candidate; else: its reward is known."),
    ] = None,
    reward: Annotated[
        str | None, Option(metavar="TASK", help="What counts; the first task by default.")
    ] = None,
    value: Annotated[
        str | None, Option(metavar="TASK=WORTH,...", help="Or several labels, and their worth.")
    ] = None,
    by: Annotated[list[str], Option(metavar="TASK", help="Order by the chance of a task.")] = [],
    formula: Annotated[list[str], Option(help="Order by a formula: 'click * like^0.5'.")] = [],
    fused: Annotated[
        bool, Option("--fused", help="Order by the formula that `fuse` found.")
    ] = False,
    k: Annotated[
        int | None, Option("--k", min=1, help="Places from the top that count; all by default.")
    ] = None,
    examination: Annotated[
        str, Option(metavar="1,0.7,...", help="Chances that places are looked at; else fitted.")
    ] = "",
    examination_from: Annotated[
        str | None, Option(metavar="TASK", help="Fit them to this task; to the reward by default.")
    ] = None,
    temperature: Annotated[
        float | None, Option(help="Draw by exp(score / temperature) instead of the highest.")
    ] = None,
    data: Annotated[
        Path | None, Option(help="New rows with labels; the log's own split by default.")
    ] = None,
    split: Annotated[Literal["valid", "test"], Option(help="Which rows of the log.")] = "test",
    confidence: Annotated[float, Option(help="Of the intervals, between 0 and 1.")] = 0.95,
    raw: RawScores = False,
    as_json: AsJson = False,
) -> None:
    """Estimate what other orders would have brought, with intervals by user.

    Lists that were shown whole need --position; requests of which one candidate was shown, with a
    known chance, need --propensity. Exits with 3 where the log cannot tell, and says why.
    """
    chances, kinds = _chances(examination), task_kinds([run])
    check_tasks("--reward", filter(None, [reward]), kinds)
    check_tasks("--by", by, kinds)
    check_tasks("--examination-from", filter(None, [examination_from]), kinds)
    from paretorank.data.source import as_frame
    from paretorank.workflows.off_policy import off_policy_run  # imports torch; `--help` must not
    from paretorank.workflows.off_policy_request import OffPolicyRequest
    from paretorank.workflows.run_folder import RunFolder

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
    with progress_bars() as listener:
        report = off_policy_run(RunFolder(run), request, listener=listener)
    if as_json:
        echo_json(report.to_json())
    else:
        echo_off_policy(f"{run}: {data or split + ' rows'}", report)
    if report.is_refused:
        raise Exit(GATE_FAILED)


def _chances(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(",") if text)
    except ValueError:
        raise ConfigError(
            f"--examination {text} is not a list of numbers.",
            hint="For instance --examination 1,0.7,0.5: place by place, from the top.",
        ) from None

"""`paretorank audit`."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Exit, Option

from paretorank.cli.console import GATE_FAILED, echo, echo_item, echo_json


def audit(
    config: Annotated[Path, Argument(help="The configuration whose data is looked at.")],
    override: Annotated[
        list[str] | None, Option("--set", help="Replace a setting: data.split.by=time")
    ] = None,
    as_json: Annotated[bool, Option("--json", help="Print the findings for programs.")] = False,
) -> None:
    """Look for what ruins a ranker: leakage, duplicates, impossible labels, overlap, time travel.

    Exits with 3 if a finding is serious.
    """
    from paretorank.workflows.audit import audit_config  # imports torch; `--help` must not

    report = audit_config(config, override or [])
    if as_json:
        echo_json(report.as_dict())
    else:
        for found in report.findings:
            heading = f"{found.severity}: {found.check}, {found.place}"
            is_bad = found.severity == "serious"
            echo_item(heading, [found.problem, f"-> {found.remedy}"], is_bad=is_bad)
        echo(", ".join(f"{n} {severity}" for severity, n in report.counts().items()))
    if report.is_serious:
        raise Exit(GATE_FAILED)

"""`paretorank doctor`."""

from dataclasses import asdict
from typing import Annotated

from typer import Exit, Option

from paretorank.cli.console import GATE_FAILED, echo_json, echo_table


def doctor(
    as_json: Annotated[bool, Option("--json", help="Print the diagnosis for programs.")] = False,
) -> None:
    """Say what is installed and what is wrong.

    Exits with 3 if something required is wrong.
    """
    from paretorank.workflows.doctor import diagnose  # imports torch; `--help` must not

    checks = diagnose()
    if as_json:
        echo_json([asdict(check) for check in checks])
    else:
        rows = [[check.status, check.name, check.value, check.remedy] for check in checks]
        echo_table("", ["status", "what", "value", "remedy"], rows)
    if any(check.status == "wrong" for check in checks):
        raise Exit(GATE_FAILED)

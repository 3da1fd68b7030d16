"""`paretorank init`."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from paretorank.cli.console import echo, echo_json, note


def init(
    log: Annotated[str, Argument(help="Parquet, CSV or Arrow: a file, a folder or a glob.")],
    join: Annotated[
        list[str] | None, Option(help="Side table and its key, as TABLE:KEY; may be repeated.")
    ] = None,
    out: Annotated[Path, Option(help="The file to write.")] = Path("paretorank.toml"),
    preset: Annotated[
        str | None, Option(help="Ready-made tasks and model: qq_kandian (our reconstruction).")
    ] = None,
    force: Annotated[bool, Option("--force", help="Replace an existing file.")] = False,
    as_json: Annotated[bool, Option("--json", help="Print the proposal for programs.")] = False,
) -> None:
    """Propose a configuration from the data, with the reason for every line."""
    from paretorank.workflows.init import init_config  # imports polars; `--help` must not

    proposal = init_config(log, out, joins=join or [], preset=preset, force=force)
    tasks = [label.name for label in proposal.labels]
    if as_json:
        echo_json(
            {
                "path": str(out),
                "keys": proposal.keys.model_dump(exclude_none=True),
                "split": proposal.split.model_dump(mode="json"),
                "features": {k: f.model_dump(mode="json") for k, f in proposal.features.items()},
                "statistics": {
                    k: s.model_dump(mode="json") for k, s in proposal.statistics.items()
                },
                "tasks": {t.name: t.model_dump(mode="json") for t in proposal.labels},
                "reasons": proposal.reasons,
                "left_out": proposal.left_out,
            }
        )
    else:
        echo(
            f"{out}: {len(proposal.features)} features, {len(proposal.statistics)} statistics, "
            f"tasks: {', '.join(tasks) or 'none'}; {len(proposal.left_out)} columns left out"
        )
    if not tasks:
        note(
            f"No column looks like feedback. Say under [tasks] of {out} what shall be predicted; "
            "until then `paretorank train` refuses."
        )
    else:
        note(f"Next: paretorank audit {out}, then paretorank train {out}")

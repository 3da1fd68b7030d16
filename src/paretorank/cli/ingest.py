"""`paretorank ingest`: encode the log once."""

from pathlib import Path
from typing import Annotated

from typer import Option

from paretorank.cli.console import echo, echo_json, echo_table, number, progress_bars
from paretorank.cli.options import AsJson, ConfigPath, Set


def ingest(
    config: ConfigPath,
    overrides: Set = [],
    out: Annotated[Path | None, Option(help="Folder; CONFIG.prepared by default.")] = None,
    force: Annotated[bool, Option("--force", help="Prepare again, even if unchanged.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read the log, fit the encoder on the training rows, and write shards.

    Unchanged data is not prepared twice.
    """
    from paretorank.config import load_config  # imports torch; `--help` must not
    from paretorank.workflows.ingest import prepare

    with progress_bars() as listener:
        prepared = prepare(load_config(config, overrides), out, force=force, listener=listener)
    manifest = prepared.manifest
    splits = {str(name): manifest.n_rows(name) for name in ("train", "valid", "test")}
    if as_json:
        labels = [label.model_dump() for label in manifest.labels]
        facts = {"folder": str(prepared.folder), "unchanged": prepared.was_there}
        echo_json({**facts, "rows": splits, "labels": labels})
        return
    means = {(label.task, str(label.split)): label for label in manifest.labels}
    rows = [
        [task, *(number(means[task, split].mean) for split in splits)]
        for task in manifest.layout.task_names
    ]
    rows.insert(0, ["rows", *(f"{count:,}" for count in splits.values())])
    echo_table("Rows, and the mean of each label where it is observed", ["", *splits], rows)
    state = "unchanged, nothing to do" if prepared.was_there else "written"
    echo(f"{prepared.folder}: {state}")

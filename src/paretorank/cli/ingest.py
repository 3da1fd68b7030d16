"""`paretorank ingest`: encode the log once."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from paretorank.cli.console import echo, echo_json, echo_table, number, progress_bars
from paretorank.cli.options import AsJson, ConfigPath, Set
from paretorank.foundation.errors import ConfigError

if TYPE_CHECKING:
    from paretorank.workflows.ingest import Prepared


def ingest(
    config: ConfigPath,
    overrides: Set = [],
    out: Annotated[Path | None, Option(help="Folder; CONFIG.prepared by default.")] = None,
    force: Annotated[bool, Option("--force", help="Prepare again, even if unchanged.")] = False,
    append: Annotated[
        bool, Option("--append", help="Add the new files of the log; do not touch the rest.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read the log, fit the encoder on the training rows, and write shards.

    Unchanged data is not prepared twice. With --append, files that are new in data.log since then
    are added behind the known ones, which must be unchanged; a split by time rolls on.
    """
    from paretorank.config import load_config  # imports torch; `--help` must not
    from paretorank.workflows import ingest as workflow

    if append and force:
        raise ConfigError(
            "--append keeps what is prepared, and --force prepares it again: not both.",
            hint="Leave one of them out.",
        )
    with progress_bars() as listener:
        settings = load_config(config, overrides)
        if append:
            prepared = workflow.append(settings, out, listener=listener)
        else:
            prepared = workflow.prepare(settings, out, force=force, listener=listener)
    manifest = prepared.manifest
    splits = {str(name): manifest.n_rows(name) for name in ("train", "valid", "test")}
    if as_json:
        labels = [label.model_dump() for label in manifest.labels]
        facts: dict[str, object] = {
            "folder": str(prepared.folder),
            "unchanged": prepared.was_there,
            "rows": splits,
            "labels": labels,
        }
        if append:
            facts |= {"appended_rows": prepared.appended_rows, "new_files": prepared.new_files}
        echo_json(facts)
        return
    means = {(label.task, str(label.split)): label for label in manifest.labels}
    rows = [
        [task, *(number(means[task, split].mean) for split in splits)]
        for task in manifest.layout.task_names
    ]
    rows.insert(0, ["rows", *(f"{count:,}" for count in splits.values())])
    echo_table("Rows, and the mean of each label where it is observed", ["", *splits], rows)
    echo(f"{prepared.folder}: {_state(prepared, append=append)}")


def _state(prepared: "Prepared", *, append: bool) -> str:
    if append:
        n_files, n_rows = len(prepared.new_files), prepared.appended_rows
        files = "file" if n_files == 1 else "files"
        return (
            f"{n_rows:,} rows of {n_files} new {files} appended" if n_files else "nothing to append"
        )
    return "unchanged, nothing to do" if prepared.was_there else "written"

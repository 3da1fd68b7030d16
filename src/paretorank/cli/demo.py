"""`paretorank demo`: everything on built-in data, in minutes."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from paretorank.cli.console import echo, echo_json, echo_table, note, number, progress_bars
from paretorank.cli.options import AsJson
from paretorank.foundation.errors import ConfigError

if TYPE_CHECKING:
    from paretorank.workflows.demo import Demo

_COLUMNS = ("auc", "gauc", "xauc")


def demo(
    out: Annotated[Path, Option(help="Folder for data and runs.")] = Path("paretorank-demo"),
    quick: Annotated[bool, Option("--quick", help="A tenth of the rows.")] = False,
    as_json: AsJson = False,
) -> None:
    """Simulate a feed with known truth, train ten models, compare them with that truth."""
    from paretorank.workflows.demo import run_demo  # imports torch; `--help` must not

    if out.exists():
        if not (out / "feed.toml").exists() and any(out.iterdir()):
            raise ConfigError(
                f"--out {out} exists and is no earlier demo.", hint="Choose another folder."
            )
        shutil.rmtree(out)
    note(f"writing to {out}; this takes {'half a minute' if quick else 'some minutes'}")
    with progress_bars() as listener:
        result = run_demo(out, quick=quick, listener=listener)
    if as_json:
        echo_json({"config": str(result.config_path), "rows": [vars(r) for r in result.rows]})
        return
    _print(result)


def _print(result: "Demo") -> None:
    columns = [
        f"{task}.{metric}"
        for task in result.tasks
        for metric in _COLUMNS
        if any(f"{task}.{metric}" in row.metrics for row in result.rows)
    ]
    rows = [
        [
            row.model,
            row.balancer,
            *(number(row.metrics.get(column)) for column in columns),
            number(row.seconds, 1) if row.seconds else "-",
        ]
        for row in result.rows
    ]
    header = ["model", "balancer", *(column.replace(".", "\n") for column in columns), "train\ns"]
    echo_table("Test rows of a simulated feed; more is better", header, rows)
    echo(
        "The last line scores every impression with its true probability: nobody can do better.\n"
        "Rows that differ by less than about .003 are tied on this much data.\n"
        "\n"
        "Next, with your own log:\n"
        "  paretorank init LOG.parquet --out ranker.toml\n"
        "  paretorank audit ranker.toml\n"
        "  paretorank train ranker.toml\n"
        "Or look at what the demo trained:\n"
        f"  paretorank evaluate {result.config_path.parent}/runs/mmoe-uncertainty --by tab"
    )

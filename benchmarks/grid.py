"""Train many small variations of one configuration in one process, and keep what they came to.

The engine below `zoo.py` and `balancers.py`. Data is prepared once for all cells that need the
same; every finished run is one line of a JSON Lines file. Whoever starts again goes on where the
file ends; runs that failed are tried anew. All cells are trained with the first seed, then all
with the second, so that a table can be printed at any time.
"""

import argparse
import gc
import json
import math
import os
import tempfile
import time
import traceback
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch

import torch

from paretorank.config import RunConfig, load_config
from paretorank.foundation.errors import ParetorankError
from paretorank.foundation.files import text_digest
from paretorank.foundation.section import Section
from paretorank.workflows.ingest import Prepared, ingest_request, prepare
from paretorank.workflows.run_folder import RunFolder
from paretorank.workflows.train import train_run
from paretorank.workflows.twins import twin_config

QUIET = ("training.tensorboard=false", "evaluation.n_resamples=0")
ERROR_LENGTH = 600

Line = dict[str, Any]
"""One finished run: cell, seed, settings, and either its numbers or an error."""


@dataclass(frozen=True)
class Grid:
    """Cells of a table on one data set."""

    config: Path
    cells: Mapping[str, Sequence[str]]
    """Settings of each cell, such as "model.architecture.kind=mmoe", by its name."""
    results: Path
    """The file that grows by one line per run."""
    settings: Sequence[str] = ()
    """What all cells have in common; a cell's own settings come later and win."""
    twins: frozenset[str] = field(default_factory=frozenset)
    """Cells of which every task is trained alone; their numbers are the sum of the parts."""

    def overrides(self, cell: str) -> list[str]:
        """Return all settings of a cell but the seed."""
        return [*self.settings, *self.cells[cell]]


def kinds(union: Any) -> dict[str, type[Section]]:
    """Return the members of a discriminated union by their kind, in its order."""
    members = typing.get_args(typing.get_args(union)[0])
    return {member.model_fields["kind"].default: member for member in members}


def run_grid(grid: Grid, seeds: Sequence[int], cells: Sequence[str] | None = None) -> None:
    """Train what is missing of all cells or some, seed by seed."""
    done = finished(grid)
    for seed in seeds:
        for cell in grid.cells if cells is None else cells:
            if (cell, seed) not in done:
                line = run_cell(grid, cell, seed)
                append_line(grid.results, line)
                print(_summary(line), flush=True)


def finished(grid: Grid) -> dict[tuple[str, int], Line]:
    """Return the runs that came to numbers with the grid's present settings."""
    return {
        (line["cell"], line["seed"]): line
        for line in read_lines(grid.results)
        if line["cell"] in grid.cells
        and "error" not in line
        and line["settings"] == grid.overrides(line["cell"])
    }


def read_lines(path: Path) -> Iterator[Line]:
    """Yield all whole lines; what a kill left of the last one is nothing."""
    if not path.exists():
        return
    for text in path.read_text(encoding="utf-8").split("\n")[:-1]:
        try:
            yield json.loads(text)
        except json.JSONDecodeError:
            continue


def append_line(path: Path, line: Line) -> None:
    """Add a line in one write, below whatever an interrupted one left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = not path.exists() or path.read_bytes()[-1:] in {b"", b"\n"}
    text = json.dumps(line, allow_nan=False) + "\n"
    with path.open("ab", buffering=0) as file:
        file.write((text if whole else "\n" + text).encode())
        os.fsync(file.fileno())


def run_cell(grid: Grid, cell: str, seed: int) -> Line:
    """Train one cell with one seed; an error becomes text."""
    line: Line = {"cell": cell, "seed": seed, "settings": grid.overrides(cell)}
    try:
        line |= _train(grid, cell, seed)
    except ParetorankError as error:
        line["error"] = str(error)[:ERROR_LENGTH]
    except Exception as error:  # noqa: BLE001 - one cell must not stop the others
        place = traceback.format_exc(limit=-3)
        line["error"] = f"{type(error).__name__}: {error} | {place}"[:ERROR_LENGTH]
    gc.collect()
    return line


def _train(grid: Grid, cell: str, seed: int) -> Line:
    config = load_config(grid.config, [*grid.overrides(cell), *QUIET, f"training.seed={seed}"])
    prepared = prepared_for(config, grid.results.parent)
    if cell not in grid.twins:
        return _numbers(config, prepared)
    parts = [_numbers(twin_config(config, task), prepared) for task in config.tasks]
    total = {name: sum(part[name] for part in parts) for name in parts[0] if name != "metrics"}
    metrics = {name: value for part in parts for name, value in part["metrics"].items()}
    total["rows_per_s"] = 1 / sum(1 / part["rows_per_s"] for part in parts)
    return {**total, "metrics": metrics}


def prepared_for(config: RunConfig, folder: Path) -> Prepared:
    """Return the prepared data beside the results; cells that need the same share it."""
    name = text_digest(str(ingest_request(config).made_from))[:12]
    return prepare(config, folder / "prepared" / f"{config.path.stem}-{name}")


def _numbers(config: RunConfig, prepared: Prepared) -> Line:
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        run = train_run(config, RunFolder(Path(folder) / "run"), prepared=prepared)
        cpu_seconds = time.process_time() - cpu
        wall_seconds = time.perf_counter() - wall
    own = run.result.table.unique(["task", "segment", "metric"], keep="first", maintain_order=True)
    metrics = {
        f"{row['task']}.{row['metric']}": row["value"] if math.isfinite(row["value"]) else None
        for row in own.filter(own["segment"] == "all").iter_rows(named=True)
    }
    return {
        "metrics": metrics,
        "seconds": run.report.seconds,
        "rows_per_s": run.report.rows_per_s,
        "cpu_seconds": cpu_seconds,
        "wall_seconds": wall_seconds,
        "parameters": sum(p.numel() for p in run.model.parameters()),
        "n_steps": run.report.n_steps,
    }


def _summary(line: Line) -> str:
    head = f"seed {line['seed']}  {line['cell']:32s}"
    if "error" in line:
        return f"{head} {line['error']}"
    first = list(line["metrics"].items())[:1]
    shown = "  ".join(f"{name} {value:.4f}" for name, value in first if value is not None)
    return f"{head} {line['wall_seconds']:6.1f} s  {line['rows_per_s']:7.0f} rows/s  {shown}"


def grid_parser(doc: str | None) -> argparse.ArgumentParser:
    """Return the options that all tables have."""
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument("results", type=Path, help="folder for lines and prepared data")
    parser.add_argument("--kuairand", type=Path, help="what `paretorank data get kuairand` wrote")
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds")
    parser.add_argument("--report", action="store_true", help="print the tables; train nothing")
    return parser


def one_thread() -> None:
    """Compute on one core, so that costs are comparable."""
    torch.set_num_threads(1)

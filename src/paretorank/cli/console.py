"""How tables, progress and errors look in a terminal."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from paretorank.foundation import progress as events
from paretorank.foundation.errors import ParetorankError
from paretorank.foundation.files import finite

GATE_FAILED = 3
"""Exit code of a command that worked, and whose answer is no."""
_LONGEST_WHOLE, _ROOMY_WIDTH = 32, 80
_FILE_WIDTH = 200  # columns of a table that goes into a file or a pipe

out = Console(
    highlight=False,
    width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else _FILE_WIDTH,
)
err = Console(stderr=True, highlight=False)


def console_width() -> int:
    """Return how many columns a line of a result has."""
    return out.width


def echo(text: str) -> None:
    """Print one line of a result."""
    out.print(text, markup=False, soft_wrap=True)


def note(text: str) -> None:
    """Print a remark that is not a result; it goes to standard error."""
    err.print(text, style="dim", markup=False, soft_wrap=True)


def echo_json(value: Any) -> None:
    """Print a result for programs; NaN becomes null."""
    sys.stdout.write(json.dumps(finite(value), ensure_ascii=False, indent=1) + "\n")


def echo_table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[str]], *, whole: int = 0
) -> None:
    """Print a table; columns after the first are aligned to the right if they hold numbers.

    The first `whole` columns are not broken into lines as long as the terminal has room.
    """
    table = Table(
        title=title or None,
        title_justify="left",
        header_style="bold",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    for index, name in enumerate(header):
        numeric = index > 0 and all(_is_number(row[index]) for row in rows)
        kept = index < whole and out.width >= _ROOMY_WIDTH
        cells = (line for row in rows for line in row[index].split("\n"))
        longest = max(map(len, cells), default=0) if kept else 0
        table.add_column(
            escape(name),
            justify="right" if numeric else "left",
            overflow="fold",
            min_width=min(longest, _LONGEST_WHOLE),
        )
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    out.print(table)


def echo_item(heading: str, lines: Sequence[str], *, is_bad: bool = False) -> None:
    """Print a heading and, indented below it, some lines of text."""
    out.print(heading, style="bold red" if is_bad else "bold", markup=False)
    for line in lines:
        out.print(Padding(Text(line), (0, 0, 0, 4)))
    out.print()


def report_error(error: ParetorankError) -> None:
    """Say what is wrong and what to do about it."""
    err.print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)
    err.print(f"[bold]hint:[/]  {escape(error.hint)}", soft_wrap=True)


@contextmanager
def progress_bars() -> Iterator[events.Listener]:
    """Draw one bar per stage while the block runs; draw nothing where no terminal is."""
    if not err.is_terminal:
        yield events.silent
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[facts]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True) as bars:
        stages: dict[str, TaskID] = {}

        def draw(event: events.Progress, /) -> None:
            facts = "  ".join(f"{key} {_short(value)}" for key, value in event.facts.items())
            if event.stage not in stages:
                stages[event.stage] = bars.add_task(event.stage, total=event.total, facts=facts)
            bars.update(stages[event.stage], completed=event.done, total=event.total, facts=facts)

        yield draw


def number(value: float | None, digits: int = 4) -> str:
    """Return a number as text; what is undefined is a dash."""
    if value is None or value != value:  # noqa: PLR0124 - NaN is the value that differs from itself
        return "-"
    return f"{value:.{digits}f}"


def _short(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"  # noqa: PLR2004 - thousands


def _is_number(text: str) -> bool:
    return bool(text) and (text[0].isdigit() or text[0] in "-+.<")

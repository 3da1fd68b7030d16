"""Numbers, tables and progress in a terminal."""

import io
import json
import math

import pytest
from rich.console import Console

from paretorank.cli import console
from paretorank.cli.metrics_table import echo_metrics
from paretorank.evaluation import EvaluationResult
from paretorank.foundation.progress import Progress, silent


@pytest.mark.parametrize(
    ("value", "text"), [(0.12345, "0.1235"), (None, "-"), (math.nan, "-"), (3.0, "3.0000")]
)
def test_a_number_that_is_undefined_is_a_dash(value: float | None, text: str) -> None:
    assert console.number(value) == text


def test_json_has_null_where_a_number_is_undefined(capsys: pytest.CaptureFixture[str]) -> None:
    console.echo_json({"auc": math.nan, "name": "größer", "bound": math.inf})
    assert json.loads(capsys.readouterr().out) == {"auc": None, "name": "größer", "bound": None}


def test_a_table_shows_brackets_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    console.echo_table("title", ["name", "value"], [["a[red]b", "1.5"], ["c", "-"]])
    shown = capsys.readouterr().out
    assert "a[red]b" in shown
    assert "title" in shown


def test_remarks_go_to_the_error_stream(capsys: pytest.CaptureFixture[str]) -> None:
    console.note("by the way")
    streams = capsys.readouterr()
    assert (streams.out, streams.err) == ("", "by the way\n")


def test_off_the_terminal_nothing_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    with console.progress_bars() as listener:
        assert listener is silent
        listener(Progress("train", 1, 2))
    streams = capsys.readouterr()
    assert streams.out + streams.err == ""


def test_in_a_terminal_there_is_one_bar_per_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=120)
    monkeypatch.setattr(console, "err", terminal)
    with console.progress_bars() as listener:
        listener(Progress("encode", 5, 10))
        listener(Progress("train", 1, 2, "steps", {"rows/s": 12345.6, "click": 0.51234}))
        listener(Progress("train", 2, 2, "steps", {"rows/s": 12345.6, "click": 0.5}))
    shown = screen.getvalue()
    for word in ("encode", "train", "rows/s 12,346", "click 0.5"):
        assert word in shown


def test_metrics_are_one_line_per_task_space_and_segment(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = {"space": "impressions", "segment": "all", "n_rows": 1200}
    result = EvaluationResult.from_records(
        [
            {**line, "task": "click", "metric": "auc", "value": 0.75, "low": 0.7, "high": 0.8},
            {**line, "task": "click", "metric": "gauc", "value": None, "note": "no user has both"},
            {**line, "task": "watch", "metric": "mae", "value": 12.345},
        ]
    )
    echo_metrics("Test rows", result)
    streams = capsys.readouterr()
    assert "0.7500" in streams.out
    assert "±0.0500" in streams.out
    assert "impressions" in streams.out
    assert "1,200" in streams.out
    assert "12.35" in streams.out or "12.34" in streams.out
    assert "segment" not in streams.out
    assert "click.gauc: no user has both" in streams.err

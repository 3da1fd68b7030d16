"""The table of what balancers cost: limits and verdicts."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("balance_table")


def test_the_median_over_rounds_is_held_against_the_limit(table: ModuleType) -> None:
    kept = table.time_row("upgrad, parameters", 4, [2.0, 9.0, 2.1])
    missed = table.time_row("upgrad, parameters", 2, [1.5, 1.7, 1.8])
    assert (kept.median, kept.limit, kept.verdict) == (2.1, 2.2, "kept")
    assert (missed.median, missed.limit, missed.verdict) == (1.7, 1.6, "MISSED")


def test_a_row_without_a_limit_has_no_verdict(table: ModuleType) -> None:
    row = table.time_row("LibMTL: GradNorm", 4, [3.0])
    assert (row.limit, row.verdict) == (None, "")


def test_a_look_is_shared_out_over_the_steps_between_two(table: ModuleType) -> None:
    assert table.time_row("diagnosis", 4, [2.0]).median == pytest.approx(1.01)


def test_a_line_holds_ratio_range_limit_and_verdict(table: ModuleType) -> None:
    rows = [table.memory_row("gradnorm", 8, 1.25)]
    _, line = table.shown(rows)
    assert line.split() == ["8", "peak", "memory:", "gradnorm", *["1.25"] * 3, "1.50", "kept"]

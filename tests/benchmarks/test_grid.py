"""Grids of runs and their tables: what is finished, what is missing, what a difference is."""

import importlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

import pytest

from paretorank.datasets import FeedConfig, write_feed

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SMALL = (
    "model.embedding_dim=2",
    "model.architecture={kind='shared_bottom', hidden_dims=[4]}",
    "model.tower_dims=[]",
    "training.epochs=1",
)
CELLS: Mapping[str, Sequence[str]] = {
    "base": [],
    "other": ["balancer.kind=mean"],
    "twins": [],
    "broken": ["balancer.kind=nobody"],
}
LINE = {"seconds": 1.0, "cpu_seconds": 2.0, "rows_per_s": 3.0, "wall_seconds": 1.0, "parameters": 4}


@pytest.fixture
def grid(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("grid")


@pytest.fixture
def grid_table(grid: ModuleType) -> ModuleType:
    assert grid.Grid
    return importlib.import_module("grid_table")


def line(cell: str, seed: int, value: float | None, **other: object) -> dict[str, object]:
    return {
        "cell": cell,
        "seed": seed,
        "settings": [],
        "metrics": {"click.auc": value},
        **LINE,
        **other,
    }


def remember_cells(grid: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Train nothing from now on; return the growing list of what would have been trained."""
    trained: list[tuple[str, int]] = []

    def run_cell(_: object, cell: str, seed: int) -> dict[str, object]:
        trained.append((cell, seed))
        return line(cell, seed, 0.5)

    monkeypatch.setattr(grid, "run_cell", run_cell)
    return trained


def test_every_cell_is_trained_once_and_errors_stop_nobody(
    grid: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_feed(tmp_path, FeedConfig(n_rows=800, n_users=50, n_items=60, n_authors=10))
    lines = tmp_path / "results" / "lines.jsonl"
    one = grid.Grid(config, CELLS, lines, settings=SMALL, twins=frozenset({"twins"}))
    grid.run_grid(one, [1])
    found = {each["cell"]: each for each in grid.read_lines(lines)}
    assert list(found) == list(CELLS)
    assert "nobody" in found["broken"]["error"]
    assert set(grid.finished(one)) == {("base", 1), ("other", 1), ("twins", 1)}
    assert 0 < found["base"]["metrics"]["click.auc"] < 1
    assert found["base"]["parameters"] < found["twins"]["parameters"]
    assert found["twins"]["metrics"].keys() == found["base"]["metrics"].keys()
    assert len(list((lines.parent / "prepared").glob("feed-*[0-9a-f]"))) == 1
    trained = remember_cells(grid, monkeypatch)
    grid.run_grid(one, [1])
    assert trained == [("broken", 1)]


def test_one_seed_of_all_cells_comes_before_the_next(
    grid: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = remember_cells(grid, monkeypatch)
    one = grid.Grid(tmp_path / "no.toml", {"b": [], "a": []}, tmp_path / "no.jsonl")
    grid.run_grid(one, [1, 2])
    grid.run_grid(one, [3], cells=["a"])
    assert trained == [("b", 1), ("a", 1), ("b", 2), ("a", 2), ("a", 3)]


def test_what_a_kill_left_of_a_line_hides_no_other(grid: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    grid.append_line(path, line("a", 1, 0.5))
    with path.open("a") as file:
        file.write('{"cell": "b", "se')
    assert [each["cell"] for each in grid.read_lines(path)] == ["a"]
    grid.append_line(path, line("c", 1, 0.5))
    assert [each["cell"] for each in grid.read_lines(path)] == ["a", "c"]


def test_runs_with_other_settings_do_not_count(grid: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    grid.append_line(path, line("a", 1, 0.5))
    same = grid.Grid(tmp_path / "no.toml", {"a": []}, path)
    other = grid.Grid(tmp_path / "no.toml", {"a": ["training.epochs=2"]}, path)
    assert set(grid.finished(same)) == {("a", 1)}
    assert not grid.finished(other)


def test_a_difference_is_paired_by_seed(grid_table: ModuleType) -> None:
    # By hand: differences 0.01 and 0.03, sd 0.01 * sqrt(2), t(0.975, 1) = 12.7062.
    found = grid_table.paired({1: 0.51, 2: 0.63, 3: 0.9}, {2: 0.60, 1: 0.50, 4: 0.1})
    assert found.n_seeds == 2
    assert found.mean == pytest.approx(0.02)
    assert found.half == pytest.approx(12.7062 * 0.01, rel=1e-5)
    assert not found.is_clear
    assert str(found) == "+20.0 ±127.1"


def test_one_seed_has_no_interval_and_none_no_difference(grid_table: ModuleType) -> None:
    one = grid_table.paired({1: 0.5}, {1: 0.6})
    assert math.isnan(one.half)
    assert not one.is_clear
    assert str(one) == "-100.0"
    assert str(grid_table.paired({1: 0.5}, {2: 0.6})) == "-"


def test_a_table_shows_what_is_missing_and_why(
    grid: ModuleType, grid_table: ModuleType, tmp_path: Path
) -> None:
    path = tmp_path / "lines.jsonl"
    for seed, value in ((1, 0.5), (2, 0.7)):
        grid.append_line(path, line("base x", seed, value))
        grid.append_line(path, line("a x", seed, value + 0.1, cpu_seconds=3.0))
    grid.append_line(path, line("b x", 1, None))
    grid.append_line(path, {"cell": "c x", "seed": 1, "settings": [], "error": "no luck"})
    cells: dict[str, list[str]] = {name: [] for name in ("base x", "a x", "b x", "c x", "d x")}
    one = grid.Grid(tmp_path / "no.toml", cells, path)
    table = grid_table.GridTable(one, ["click.auc"], "base x")
    rows = table.markdown().splitlines()
    assert rows[2] == "| base x | 2 | 0.6000 | - | 1.00 | 2.0 | 4 |"
    assert rows[3] == "| a x | 2 | 0.7000 (+100.0 ±0.0*) | +100.0 ±0.0* | 1.50 | 3.0 | 4 |"
    assert rows[4] == "| b x | 1 | - | - | 1.00 | 2.0 | 4 |"
    assert rows[5] == "| c x | 0 | - | - | - | - | - |"
    assert rows[-1] == "c x: no luck"
    assert table.cross(["base", "a", "d"], ["x", "y"]).splitlines()[2:] == [
        "| base | base | - |",
        "| a | +100.0 ±0.0* | - |",
        "| d | - | - |",
    ]


def test_a_table_without_its_base_shows_means(
    grid: ModuleType, grid_table: ModuleType, tmp_path: Path
) -> None:
    path = tmp_path / "lines.jsonl"
    grid.append_line(path, line("a x", 1, 0.6))
    one = grid.Grid(tmp_path / "no.toml", {"base x": [], "a x": []}, path)
    rows = grid_table.GridTable(one, ["click.auc"], "base x").markdown().splitlines()
    assert rows[3] == "| a x | 1 | 0.6000 (-) | - | - | 2.0 | 4 |"

"""The tables of architectures, relations and balancers hold all there are."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from paretorank.config import load_config
from paretorank.datasets import FeedConfig, write_feed

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def zoo(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("zoo")


@pytest.fixture
def balancers(zoo: ModuleType) -> ModuleType:
    assert zoo.BASE
    return importlib.import_module("balancers")


@pytest.fixture
def feed(tmp_path: Path, zoo: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder in which the small feed stands where the large one would."""
    world = FeedConfig(n_rows=1_000, n_users=50, n_items=60, n_authors=10)
    monkeypatch.setattr(zoo, "WORLD", world)
    return tmp_path


def test_every_architecture_meets_every_relation_in_settings_that_are_valid(
    zoo: ModuleType, feed: Path
) -> None:
    grid = zoo.grids(feed, None)["feed"]
    n_crossed = len(zoo.kinds(zoo.ArchitectureConfig)) * len(zoo.kinds(zoo.RelationConfig))
    assert len(grid.cells) == n_crossed + len(zoo.CONTROLS) + 1
    assert next(iter(grid.cells)) == zoo.BASE
    for cell in grid.cells:
        config = load_config(grid.config, grid.overrides(cell))
        architecture, relation = cell.rsplit(" ", 1)
        assert config.model.relations.kind == relation
        if cell != zoo.TWINS:
            assert config.model.architecture.kind == architecture.split(" ")[0]


def test_the_core_holds_all_architectures_and_all_relations(zoo: ModuleType) -> None:
    core = zoo.core(zoo.cells("'user_id'"))
    assert {f"{kind} none" for kind in zoo.kinds(zoo.ArchitectureConfig)} < set(core)
    assert {f"mmoe {kind}" for kind in zoo.kinds(zoo.RelationConfig)} < set(core)
    assert "cgc esmm" not in core


def test_every_balancer_but_equal_ones_has_valid_settings(
    zoo: ModuleType, balancers: ModuleType, feed: Path
) -> None:
    data = zoo.grids(feed, None)["feed"]
    grid = balancers.with_balancers(data, "mmoe", zoo.KEYS["feed"])
    assert next(iter(grid.cells)) == "equal"
    expected = set(zoo.kinds(balancers.BalancerConfig)) - balancers.SAME
    assert set(grid.cells) == expected | {"twins"}
    for cell in expected:
        config = load_config(grid.config, grid.overrides(cell))
        assert config.balancer.kind == cell
        assert config.model.architecture.kind == "mmoe"
    assert grid.results != data.results


def test_other_files_hold_the_runs_of_other_data(zoo: ModuleType, feed: Path) -> None:
    write_feed(feed, zoo.WORLD)
    both = zoo.grids(feed, feed)
    assert list(both) == ["kuairand", "feed"]
    assert both["kuairand"].results != both["feed"].results

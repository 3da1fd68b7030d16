"""Slates of a feed whose tasks conflict: what perfect and blind predictions cover."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def slate_fronts(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    module = importlib.import_module("slate_fronts")
    monkeypatch.setattr(module, "N_ROWS", 2_000)
    yield module
    module.slates_of.cache_clear()
    module.frame_of.cache_clear()


def test_who_knows_the_truth_covers_all_with_the_weights_of_the_reference(
    slate_fronts: ModuleType,
) -> None:
    slates = slate_fronts.slates_of(1)
    fine = slate_fronts.simplex_lattice(2, 101)
    points = slate_fronts.values(slates, [slates.gain] * len(fine), fine)
    assert slate_fronts.covered(1, points) == pytest.approx(1)


def test_the_slate_of_most_clicks_is_that_of_fewest_likes(slate_fronts: ModuleType) -> None:
    slates = slate_fronts.slates_of(1)
    points = slate_fronts.values(slates, [slates.gain] * 11, slate_fronts.GRID)
    assert (np.diff(points[:, 0]) <= 0).all()
    assert (np.diff(points[:, 1]) >= 0).all()
    clicks, likes = (slates.gain[:, :, at].mean() * slates.examined.sum() for at in (0, 1))
    assert points[0, 0] > 1.3 * clicks
    assert points[0, 1] < likes


def test_who_knows_nothing_covers_next_to_nothing(slate_fronts: ModuleType) -> None:
    slates = slate_fronts.slates_of(1)
    blind = np.random.default_rng(1).random((11, *slates.gain.shape))
    points = slate_fronts.values(slates, list(blind), slate_fronts.GRID)
    assert slate_fronts.covered(1, points) < 0.1


def test_every_run_of_a_seed_has_a_name_of_its_own(slate_fronts: ModuleType) -> None:
    names = [cell.name for cell in slate_fronts.cells()]
    assert len(set(names)) == len(names)

"""What fronts of several methods cover, counted by hand."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def front_runs(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("front_runs")


def found(front_runs: ModuleType, valid: list[list[float]], test: list[list[float]]) -> Any:
    """Return one seed: some points of the first method, the point (.6, .4) of the others."""
    other = np.array([[0.6, 0.4]])
    points = dict.fromkeys(front_runs.METHODS, (other, other))
    points[front_runs.METHODS[0]] = (np.array(valid), np.array(test))
    return [
        {
            method: front_runs.Measurement(on_valid, on_test, on_test[None], 0.0)
            for method, (on_valid, on_test) in points.items()
        }
    ]


def test_volumes_are_shares_of_the_box_from_the_worst_and_a_tenth_to_the_best(
    front_runs: ModuleType,
) -> None:
    seeds = found(front_runs, [[0.5, 0.5]], [[0.5, 0.5]])
    # The box is .11 by .11; a point is .01 from one side and .11 from the other.
    assert front_runs.volumes_of(seeds) == pytest.approx(np.full((4, 1), 100 / 11))


def test_a_draw_of_users_is_measured_from_its_own_reference(front_runs: ModuleType) -> None:
    seeds = found(front_runs, [[0.5, 0.5]], [[0.5, 0.5]])
    assert front_runs.volumes_of(seeds, 0) == pytest.approx(np.full((4, 1), 100 / 11))


def test_what_is_beaten_on_validation_rows_adds_nothing_on_test_rows(
    front_runs: ModuleType,
) -> None:
    seeds = found(front_runs, [[0.5, 0.5], [0.4, 0.4]], [[0.5, 0.5], [0.6, 0.5]])
    # Without that rule the second point would cover the whole box.
    assert front_runs.volumes_of(seeds)[0, 0] == pytest.approx(100 / 11)


def test_one_seed_has_a_difference_and_no_interval(front_runs: ModuleType) -> None:
    assert front_runs.difference(np.array([0.5])) == "+0.50"
    assert front_runs.difference(np.array([1.0, 3.0])) == "+2.00 +- 12.71"

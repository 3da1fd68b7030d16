"""The simulation behind claims about intervals: a small run of every part."""

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def coverage(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    module = importlib.import_module("coverage")
    monkeypatch.setattr(module, "TRUTH_USERS", 2_000)
    return module


def test_the_mean_gain_is_that_of_four_tasks_that_hang_together(coverage: ModuleType) -> None:
    a, b = coverage.logs_of_many_tasks(2_000, np.random.default_rng(0))
    truth = a.truth.reshape(2_000, coverage.ROWS_OF_USER, coverage.MANY_TASKS)
    rates = np.nanmean(a.truth, axis=0)
    assert rates[2] < 0.6 * rates[0]
    assert 0.45 < np.isnan(truth[:, 0, 1]).mean() < 0.55
    liked = truth.mean(axis=1)
    assert np.corrcoef(liked[:, 0], liked[:, 3])[0, 1] > 0.3
    gain = coverage.compare(a, b).mean_gain("b")
    assert len(gain.tasks) == coverage.MANY_TASKS
    gains = {d.task: d.gain.value for d in coverage.compare(a, b).differences if d.is_guarded}
    assert (gains["t0"] < 0.0, gains["t2"] > 0.0, gains["t3"] < 0.0) == (True, True, True)


def test_shares_of_every_part_are_shares(coverage: ModuleType) -> None:
    found = coverage.mean_gain_of_many(30, 4)
    assert sum(found.values()) == pytest.approx(1.0)
    alarms = coverage.false_alarms(30, 4)
    assert alarms["ten, none"] >= max(alarms["ten, holm"], alarms["gate"])

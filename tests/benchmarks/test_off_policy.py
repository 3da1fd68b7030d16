"""Values of other policies on simulated logs, whose true values are known."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from paretorank.off_policy import Refusal, ValueEstimate

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
N_LOGS = 100


@pytest.fixture
def worlds(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("off_policy")


def coverage(answers: list[ValueEstimate | Refusal], truth: float) -> float:
    known = [answer for answer in answers if isinstance(answer, ValueEstimate)]
    assert len(known) >= 0.95 * len(answers)
    return sum(answer.low <= truth <= answer.high for answer in known) / len(known)


@pytest.mark.slow
def test_nine_of_ten_intervals_hold_the_true_value_of_a_policy(worlds: ModuleType) -> None:
    truths = worlds.true_choices()
    runs = [worlds.choices(2_000, 0.2, seed) for seed in range(N_LOGS)]
    for name in runs[0]:
        policy, estimator = name.split(", ")
        if estimator != "naive":
            assert coverage([run[name] for run in runs], truths[policy]) >= 0.9, name


@pytest.mark.slow
def test_nine_of_ten_intervals_hold_the_true_value_of_an_order(worlds: ModuleType) -> None:
    runs, truth = [worlds.lists(1_000, seed) for seed in range(N_LOGS)], worlds.true_lists()
    for name in ("list, known examination", "list, fitted examination"):
        assert coverage([run[name] for run in runs], truth) >= 0.9, name


def test_without_chance_in_the_log_nobody_gives_a_number(worlds: ModuleType) -> None:
    for seed in range(5):
        found = worlds.choices(500, 0.0, seed)
        for name, answer in found.items():
            assert isinstance(answer, float if "naive" in name else Refusal)

"""Search of weights: it finds known optima, and goes on where it was interrupted."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from paretorank.foundation.errors import RunError
from paretorank.foundation.progress import Progress
from paretorank.fusion import WeightRange, parse_formula
from paretorank.fusion.search import POPULATION, SamplerName, Search
from paretorank.fusion.trials import Measured, Trial, best_first, first_weights

FORMULA = parse_formula("a^$x * b^$y", ranges={"x": WeightRange(0.0, 2.0, 0.5)})
SAMPLERS: tuple[SamplerName, ...] = ("tpe", "cmaes", "nsga2", "nsga3")


def bowl(weights: Mapping[str, float]) -> Measured:
    """Return a value that is largest at x = 1.5, y = 0.5, where x may be at most 1."""
    x, y = weights["x"], weights["y"]
    return Measured((-((x - 1.5) ** 2) - (y - 0.5) ** 2,), (x - 1.0,))


def trade(weights: Mapping[str, float]) -> Measured:
    """Return two values of which one wants x = 0 and the other x = 2, and both y = 1."""
    x, y = weights["x"], weights["y"]
    return Measured((-(x**2) - (y - 1.0) ** 2, -((x - 2.0) ** 2) - (y - 1.0) ** 2))


def best(trials: list[Trial]) -> Trial:
    return trials[best_first([trial.measured for trial in trials])[0]]


@pytest.mark.parametrize("sampler", ["tpe", "cmaes"])
def test_the_best_weights_lie_where_the_bound_begins(tmp_path: Path, sampler: SamplerName) -> None:
    found = best(Search(FORMULA, 1, sampler, seed=1).run(bowl, 120, tmp_path / "trials.jsonl"))
    assert found.measured.miss == 0.0
    assert found.weights["x"] == pytest.approx(1.0, abs=0.1)
    assert found.weights["y"] == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("sampler", ["nsga2", "nsga3"])
def test_several_values_are_spread_along_their_trade(tmp_path: Path, sampler: SamplerName) -> None:
    trials = Search(FORMULA, 2, sampler, seed=1).run(trade, 4 * POPULATION, tmp_path / "t.jsonl")
    near = sorted(trial.weights["x"] for trial in trials if abs(trial.weights["y"] - 1.0) < 0.2)
    assert near[0] < 0.4
    assert near[-1] > 1.5
    assert len(near) > 10


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_an_interrupted_search_goes_on_with_the_trials_it_would_have_made(
    tmp_path: Path, sampler: SamplerName
) -> None:
    n_values = 1 if sampler in {"tpe", "cmaes"} else 2
    measure = bowl if n_values == 1 else trade
    search = Search(FORMULA, n_values, sampler, seed=3)
    straight = search.run(measure, 45, tmp_path / "straight.jsonl")
    journal, seen = tmp_path / "stopped.jsonl", 0

    def impatient(weights: Mapping[str, float]) -> Measured:
        nonlocal seen
        seen += 1
        if seen in {3, 17, 31}:
            raise KeyboardInterrupt
        return measure(weights)

    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            search.run(impatient, 45, journal)
    assert search.run(impatient, 45, journal) == straight
    assert seen == 45 + 3
    assert search.run(impatient, 20, journal) == straight
    assert seen == 45 + 3


def test_another_seed_proposes_other_weights(tmp_path: Path) -> None:
    first, second = (
        Search(FORMULA, 1, "tpe", seed).run(bowl, 12, tmp_path / f"{seed}.jsonl") for seed in (1, 2)
    )
    n_first = len(first_weights(FORMULA))
    assert first[:n_first] == second[:n_first]
    assert first[n_first:] != second[n_first:]


def test_a_line_that_a_killed_process_did_not_finish_is_dropped(tmp_path: Path) -> None:
    journal = tmp_path / "trials.jsonl"
    search = Search(FORMULA, 1)
    search.run(bowl, 6, journal)
    whole = search.run(bowl, 8, tmp_path / "whole.jsonl")
    with journal.open("a") as file:
        file.write('{"op_code": 6, "wor')
    Path(f"{journal}.lock").symlink_to("nowhere")
    assert search.run(bowl, 8, journal) == whole


def test_a_journal_that_is_none_is_refused(tmp_path: Path) -> None:
    journal = tmp_path / "trials.jsonl"
    journal.write_text("no journal\nat all\n")
    with pytest.raises(RunError, match=r"trials\.jsonl is damaged"):
        Search(FORMULA, 1).run(bowl, 3, journal)


def test_every_trial_is_heard_of_with_the_best_that_keeps_the_bounds(tmp_path: Path) -> None:
    heard: list[Progress] = []
    trials = Search(FORMULA, 1).run(bowl, 7, tmp_path / "trials.jsonl", heard.append)
    assert [event.done for event in heard] == list(range(8))
    assert heard[-1].facts == {"best": best(trials).measured.values[0]}


def test_the_start_and_each_weight_alone_are_tried_first() -> None:
    assert first_weights(FORMULA) == [
        {"x": 0.5, "y": 1.0},
        {"x": 0.0, "y": 0.0},
        {"x": 2.0, "y": 0.0},
        {"x": 0.0, "y": 2.0},
    ]


def test_what_misses_a_bound_comes_behind_all_that_keep_it() -> None:
    measured = [
        Measured((9.0,), (0.5, -1.0)),
        Measured((1.0,), (0.0, 0.0)),
        Measured((2.0,), (-0.1, 0.0)),
        Measured((8.0,), (0.2, 0.2)),
    ]
    assert best_first(measured) == [2, 1, 3, 0]

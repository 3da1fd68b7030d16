"""Do intervals hold the truth as often as they say? Users of their own, a known AUC difference.

    python benchmarks/coverage.py [--repetitions 300] [--users 100 600] [--parts ...] [--json]

Users differ in how often they click and in how well either run knows them, so that rows of a user
hang together and differences of runs do, too. The truth is the difference between the runs on very
many other users. Printed is the share of 95 % intervals that hold it, with twice its standard
error: of the AUC difference, exact and linearised (never below 500 users), and of GAUC; beside it,
percentiles of the same draws and, as a control, an interval that takes rows for independent. Then
the mean gain (Delta m) over four tasks that hang together through their users, of which two have
become worse, one better and one is as it was: rare ones, frequent ones, and one that is labelled
for half of the users. At last two equally good runs: how often they are told apart in one task, how
often in any of ten tasks, corrected and not, and how often the see-saw gate stops the second one.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from paretorank.evaluation import Comparison, ScoredRows, compare_rows
from paretorank.evaluation.paired_draws import LINEARISE_CLUSTERS, paired_draws
from paretorank.schema import LabelSpec

ROWS_OF_USER = 20
TRUTH_USERS = 50_000
MANY_TASKS = 4
LEVELS = np.array([-1.0, -1.0, -2.5, -1.0])
"""Logits that the tasks of the mean gain begin at: the third is rare."""
NOISES = (np.array([0.7, 0.7, 0.7, 0.9]), np.array([0.9, 0.7, 0.6, 1.0]))
"""How wrong either run is about each of them."""
SHARED_TASTE = 0.7
"""Share of a user's taste that is common to these tasks."""
N_RESAMPLES = 200
CONFIDENCE = 0.95


def logs(
    n_users: int, generator: np.random.Generator, noises: tuple[float, float], n_tasks: int = 1
) -> tuple[ScoredRows, ScoredRows]:
    """Return two runs on the same rows of fresh users."""
    shape = (n_users, ROWS_OF_USER, n_tasks)
    taste = generator.normal(size=(n_users, 1, n_tasks))
    merit = 0.7 * generator.normal(size=shape) + taste - 1.0
    truth = (generator.random(shape) < chance(merit)).astype(np.float64).reshape(-1, n_tasks)
    user = np.repeat(np.arange(n_users), ROWS_OF_USER)
    labels = tuple(
        LabelSpec(name=f"t{at}", kind="binary", column=f"t{at}") for at in range(n_tasks)
    )
    runs = []
    for noise in noises:
        wrong = generator.normal(size=(n_users, 1, n_tasks)) + 0.5 * generator.normal(size=shape)
        scores = chance(merit + noise * wrong).reshape(-1, n_tasks)
        runs.append(ScoredRows(labels, scores, truth, None, user))
    return runs[0], runs[1]


def logs_of_many_tasks(
    n_users: int, generator: np.random.Generator
) -> tuple[ScoredRows, ScoredRows]:
    """Return two runs on the same rows of tasks that hang together."""
    shape = (n_users, ROWS_OF_USER, MANY_TASKS)
    common = generator.normal(size=(n_users, 1, 1))
    own = generator.normal(size=(n_users, 1, MANY_TASKS))
    taste = np.sqrt(SHARED_TASTE) * common + np.sqrt(1.0 - SHARED_TASTE) * own
    merit = 0.7 * generator.normal(size=shape) + taste + LEVELS
    truth = (generator.random(shape) < chance(merit)).astype(np.float64)
    truth[generator.random(n_users) < 0.5, :, 1] = np.nan
    labels = tuple(
        LabelSpec(name=f"t{at}", kind="binary", column=f"t{at}") for at in range(MANY_TASKS)
    )
    user = np.repeat(np.arange(n_users), ROWS_OF_USER)
    wrong_users = generator.normal(size=(n_users, 1, 1))
    runs = []
    for noise in NOISES:
        wrong = 0.7 * wrong_users + 0.7 * generator.normal(size=(n_users, 1, MANY_TASKS))
        scores = chance(merit + noise * (wrong + 0.5 * generator.normal(size=shape)))
        flat = (-1, MANY_TASKS)
        runs.append(ScoredRows(labels, scores.reshape(flat), truth.reshape(flat), None, user))
    return runs[0], runs[1]


def mean_gain_of_many(n_users: int, n_repetitions: int) -> dict[str, float]:
    """Return how often the interval of the mean gain over several tasks holds the truth."""
    whole = compare(*logs_of_many_tasks(TRUTH_USERS, np.random.default_rng(4)), n_resamples=0)
    truth, generator = whole.mean_gain("b").value, np.random.default_rng(5)
    held = {"four tasks": 0, "below": 0, "above": 0}
    for repetition in range(n_repetitions):
        gain = compare(*logs_of_many_tasks(n_users, generator), seed=repetition).mean_gain("b")
        held["four tasks"] += gain.low <= truth <= gain.high
        held["below"] += gain.high < truth
        held["above"] += gain.low > truth
    return {name: count / n_repetitions for name, count in held.items()}


def chance(logits: np.ndarray) -> np.ndarray:
    """Return the sigmoid."""
    return 1.0 / (1.0 + np.exp(-logits))


def holds(n_users: int, n_repetitions: int) -> dict[str, float]:
    """Return how often each interval holds the truth."""
    noises = (0.7, 0.9)
    whole = compare(*logs(TRUTH_USERS, np.random.default_rng(1), noises), n_resamples=0)
    truth = whole.differences[0].gain.value
    held = dict.fromkeys(("exact", "linearised", "percentiles", "rows for users", "GAUC"), 0)
    gauc = next(d for d in whole.differences if d.metric == "gauc").gain.value
    generator = np.random.default_rng(2)
    for repetition in range(n_repetitions):
        a, b = logs(n_users, generator, noises)
        exact = compare(a, b, seed=repetition)
        first = exact.differences[0]
        held["exact"] += first.low <= truth <= first.high
        of_gauc = next(d for d in exact.differences if d.metric == "gauc")
        held["GAUC"] += of_gauc.low <= gauc <= of_gauc.high
        if n_users >= LINEARISE_CLUSTERS:
            linear = compare(a, b, seed=repetition, linearise_from=0).differences[0]
            held["linearised"] += linear.low <= truth <= linear.high
        loose = compare(replace(a, user=None), replace(b, user=None), seed=repetition)
        low, high = loose.differences[0].low, loose.differences[0].high
        held["rows for users"] += low <= truth <= high
        draws = paired_draws(
            [a, b], n_resamples=N_RESAMPLES, generator=np.random.default_rng(repetition)
        )[0].draws
        low, high = np.quantile(draws[1] - draws[0], [0.025, 0.975])
        held["percentiles"] += low <= truth <= high
    if n_users < LINEARISE_CLUSTERS:
        del held["linearised"]
    return {name: count / n_repetitions for name, count in held.items()}


def false_alarms(n_users: int, n_repetitions: int) -> dict[str, float]:
    """Return how often equally good runs are told apart."""
    generator = np.random.default_rng(3)
    alarms = {"one task": 0, "ten, holm": 0, "ten, none": 0, "gate": 0}
    for repetition in range(n_repetitions):
        a, b = logs(n_users, generator, (0.8, 0.8), n_tasks=10)
        result = compare(a, b, seed=repetition, linearise_from=0)
        p = [d.p for d in result.differences if d.is_guarded]
        corrected = [d.p_corrected for d in result.differences if d.is_guarded]
        alarms["one task"] += p[0] < 1 - CONFIDENCE
        alarms["ten, holm"] += min(corrected) < 1 - CONFIDENCE
        alarms["ten, none"] += min(p) < 1 - CONFIDENCE
        alarms["gate"] += not result.passed
    return {name: count / n_repetitions for name, count in alarms.items()}


def compare(
    a: ScoredRows,
    b: ScoredRows,
    *,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
    linearise_from: int = 10_000_000,
) -> Comparison:
    """Compare two runs; the exact AUC unless told otherwise."""
    return compare_rows(
        {"a": a, "b": b},
        n_resamples=n_resamples,
        confidence=CONFIDENCE,
        seed=seed,
        linearise_from=linearise_from,
    )


PARTS: dict[str, Callable[[int, int], dict[str, float]]] = {
    "holds": holds,
    "mean-gain": mean_gain_of_many,
    "false-alarms": false_alarms,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=300)
    parser.add_argument("--users", type=int, nargs="+", default=[100, 600])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    for n_users in given.users:
        for name in given.parts:
            place = f"{name.replace('-', ' ')}, {n_users} users"
            found[place] = PARTS[name](n_users, given.repetitions)
            if not given.json:
                show(place, found[place], given.repetitions)
    if given.json:
        print(json.dumps(found, indent=1))


def show(place: str, shares: dict[str, float], n_repetitions: int) -> None:
    print(f"{place} of {ROWS_OF_USER} rows, {n_repetitions} repetitions")
    for name, share in shares.items():
        spread = 2 * np.sqrt(share * (1 - share) / n_repetitions)
        print(f"  {name:15} {share:6.1%} ± {spread:.1%}", flush=True)


if __name__ == "__main__":
    main()

"""How long a comparison of two runs takes, and how close the linearised AUC is to the exact one.

    python benchmarks/compare_speed.py [--rows 1000000] [--users 50000] [--tasks 4]
        [--resamples 1000] [--exact] [--without-users]

Two made-up runs have scored the same rows; all metrics of all tasks are compared. Printed are
seconds and the interval of the first task's AUC difference. `--exact` reweights every row in every
draw instead of linearising; leave it out where that would take minutes.
"""

import argparse
import time

import numpy as np

from paretorank.evaluation import Comparison, ScoredRows, compare_rows
from paretorank.schema import LabelSpec


def runs(n_rows: int, n_users: int, n_tasks: int, *, users: bool) -> dict[str, ScoredRows]:
    """Return two runs that see the same merits through noise of their own."""
    generator = np.random.default_rng(0)
    user = generator.integers(0, n_users, n_rows)
    merit = generator.normal(size=(n_rows, n_tasks))
    merit += 0.5 * generator.normal(size=(n_users, n_tasks))[user]
    truth = (generator.random((n_rows, n_tasks)) < chance(merit - 1.5)).astype(np.float32)
    names = [f"task_{at}" for at in range(n_tasks)]
    labels = tuple(LabelSpec(name=name, kind="binary", column=name) for name in names)
    found = {}
    for name, noise in (("baseline", 0.50), ("run", 0.51)):
        scores = chance(merit - 1.5 + noise * generator.normal(size=merit.shape))
        scores = scores.astype(np.float32)
        found[name] = ScoredRows(labels, scores, truth, None, user if users else None)
    return found


def chance(logits: np.ndarray) -> np.ndarray:
    """Return the sigmoid."""
    return 1.0 / (1.0 + np.exp(-logits))


def timed(found: dict[str, ScoredRows], n_resamples: int, *, exact: bool) -> None:
    start, cpu = time.perf_counter(), time.process_time()
    linearise_from = 1 + len(found["run"]) if exact else 0
    result = compare_rows(found, n_resamples=n_resamples, linearise_from=linearise_from)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    way = "exact" if exact else "linearised"
    print(f"{way:11} {seconds:8.1f} s, {cpu:.1f} s of CPU   {said(result)}", flush=True)


def said(result: Comparison) -> str:
    """Return the difference of the first task."""
    first = result.differences[0]
    return f"{first.name} {first.gain.value:+.6f}, {first.low:+.6f} to {first.high:+.6f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=50_000)
    parser.add_argument("--tasks", type=int, default=4)
    parser.add_argument("--resamples", type=int, default=1_000)
    parser.add_argument("--exact", action="store_true", help="time the exact bootstrap, too")
    parser.add_argument("--without-users", action="store_true", help="every row stands alone")
    given = parser.parse_args()
    found = runs(given.rows, given.users, given.tasks, users=not given.without_users)
    timed(found, given.resamples, exact=False)
    if given.exact:
        timed(found, given.resamples, exact=True)


if __name__ == "__main__":
    main()

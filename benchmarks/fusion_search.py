"""How long a trial of a search of fusion weights takes on a million rows.

    python benchmarks/fusion_search.py [--requests 100000] [--trials 30]

Requests have 10 rows on average, four tasks, one metric to maximise and one bound on another task,
the product of all tasks. Prints the time by the clock and of the processor (a neighbour does not
add to that) of one evaluation of weights, and of a whole trial with the sampler and the journal.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from fused_scores import seconds, show

from paretorank.evaluation import parse_bound, parse_list_metric
from paretorank.fusion import parse_formula, weighted_product
from paretorank.fusion.search import Search
from paretorank.workflows.fusion_contest import Scale
from paretorank.workflows.fusion_request import Wishes
from paretorank.workflows.fusion_rows import FusionRows

TASKS = ("long_view", "click", "like", "watch")


def rows(n_requests: int) -> FusionRows:
    """Return rows of which labels follow scores."""
    generator = np.random.default_rng(0)
    request = np.repeat(np.arange(n_requests), generator.poisson(9, n_requests) + 1)
    scores = generator.beta(1.0, 9.0, (len(request), len(TASKS)))
    labels = (generator.random(scores.shape) < scores).astype(np.float64)
    by_task = dict(zip(TASKS, labels.T, strict=True))
    return FusionRows(TASKS, scores, by_task, request, request // 5)


def main() -> None:
    """Time evaluations, then trials."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--trials", type=int, default=30)
    given = parser.parse_args()
    found = rows(given.requests)
    metric = parse_list_metric("long_view.ndcg@10", TASKS, place="benchmark")
    bound = parse_bound("like.ndcg@10=-0.5%", TASKS, place="benchmark")
    begin = time.perf_counter()
    scale = Scale(found, Wishes((metric,), (bound,), (), {}), parse_formula("long_view"))
    formula = weighted_product(TASKS)
    fused = found.fused(formula)
    print(f"{len(found.request):,} rows, {formula}")
    print(f"prepared in {time.perf_counter() - begin:.2f} s")

    def measure(weights: dict[str, float]) -> object:
        return scale.measured(scale.metrics(fused(weights)))

    show("evaluation", seconds(lambda: measure(dict.fromkeys(formula.weights, 0.7)), 9))
    with tempfile.TemporaryDirectory() as folder:
        for sampler in ("tpe", "cmaes", "nsga2"):
            search = Search(formula, 1, sampler)
            begin, busy = time.perf_counter(), time.process_time()
            search.run(measure, given.trials, Path(folder) / f"{sampler}.jsonl")
            clock, used = time.perf_counter() - begin, time.process_time() - busy
            print(
                f"  {f'trial of {sampler}':<28} mean {clock / given.trials:6.3f} s; "
                f"processor {used / given.trials:6.3f} s"
            )


if __name__ == "__main__":
    main()

"""How long one weight vector takes: fused scores of a million rows, and metrics of their lists.

    python benchmarks/fused_scores.py [--requests 100000] [--repeats 9]

Requests have 1 to about 25 rows, 10 on average. Prints for each formula the time to prepare it, the
best and median time of a call, its least time of the processor (a neighbour does not add to that),
and the same with NDCG@10 of two tasks on top. Beside it the same rows in ONNX Runtime and PyTorch,
one thread each, which begin from the scores every time; PyTorch compares all pairs of rows for a
rank, so it is left out there. Then the list metrics alone.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import onnxruntime
import torch

from paretorank.fusion import (
    Formula,
    FusionScorer,
    parse_formula,
    rank_ensemble,
    shifted_product,
    weighted_product,
    weighted_sum,
)
from paretorank.fusion.module import FormulaModule
from paretorank.fusion.onnx_graph import formula_graph
from paretorank.metrics import RankedLists, logarithmic

NAMES = ("click", "like", "follow", "watch")
FORMULAS = {
    "weighted sum": weighted_sum(NAMES),
    "weighted product": weighted_product(NAMES),
    "shifted product": shifted_product(NAMES),
    "rank ensemble": rank_ensemble(NAMES),
    "product with a rank": parse_formula(
        "click * like^$a * follow^$b * clip(watch, 0, 60)^$c + $w * rank(watch)"
    ),
    "rank of a free sum": parse_formula("click + $w * rank(like + $a * follow + $b * watch)"),
}


def seconds(call: Callable[[], object], repeats: int) -> list[tuple[float, float]]:
    """Return how long each call took, by the clock and of the processor."""
    taken = []
    for _ in range(repeats):
        begin, busy = time.perf_counter(), time.process_time()
        call()
        taken.append((time.perf_counter() - begin, time.process_time() - busy))
    return taken


def show(name: str, taken: list[tuple[float, float]]) -> None:
    by_clock, busy = zip(*taken, strict=True)
    print(
        f"  {name:<28} best {min(by_clock):6.3f} s, median {statistics.median(by_clock):6.3f} s; "
        f"processor {min(busy):6.3f} s"
    )


def onnx_scores(
    formula: Formula, weights: dict[str, float], scores: np.ndarray, request: np.ndarray
) -> Callable[[], np.ndarray]:
    """Return a call that fuses the rows with ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    graph = formula_graph(formula, weights=weights, score_type="float32", by_request=True)
    session = onnxruntime.InferenceSession(graph, options)
    columns = {name: np.ascontiguousarray(scores[:, NAMES.index(name)]) for name in formula.columns}
    return lambda: session.run(None, columns | {"request": request})[0]


def torch_scores(
    formula: Formula, weights: dict[str, float], scores: np.ndarray
) -> Callable[[], np.ndarray]:
    """Return a call that fuses the rows with PyTorch."""
    module, rows = FormulaModule(formula, NAMES, weights), torch.from_numpy(scores)
    return lambda: module(rows).numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=9)
    given = parser.parse_args()
    torch.set_num_threads(1)
    generator = np.random.default_rng(0)
    lengths = generator.poisson(9, given.requests) + 1
    request = np.repeat(generator.permutation(given.requests), lengths)
    scores = generator.beta(1.0, 9.0, (len(request), len(NAMES))).astype(np.float32)
    scores[:, -1] *= 300.0
    labels = (generator.random((len(request), 2)) < scores[:, :2]).astype(np.float32)
    print(f"{len(request):,} rows, {given.requests:,} requests, {lengths.max()} rows at most")
    begin = time.perf_counter()
    lists = RankedLists(request, labels)
    lists.rank(scores[:, 0]).ndcg()
    print(f"lists and ideals prepared in {time.perf_counter() - begin:.2f} s")
    for name, formula in FORMULAS.items():
        begin = time.perf_counter()
        scorer = FusionScorer(formula, NAMES, scores, request)
        print(f"{name}: {formula}\n  prepared in {time.perf_counter() - begin:.2f} s")
        weights = dict.fromkeys(formula.weights, 0.7)
        show("fused score", seconds(lambda s=scorer, w=weights: s(w), given.repeats))
        others = {"ONNX Runtime": onnx_scores(formula, weights, scores, request)}
        if "rank" not in str(formula):
            others["PyTorch"] = torch_scores(formula, weights, scores)
        for runtime, call in others.items():
            np.testing.assert_allclose(call(), scorer(weights), rtol=1e-6)
            show(runtime, seconds(call, given.repeats))
        both = seconds(lambda s=scorer, w=weights: lists.rank(s(w)).ndcg(10), given.repeats)
        show("with NDCG@10 of two tasks", both)
    ranking, fused = lists.rank(scores[:, 0]), scores[:, 0].astype(np.float64)
    print("lists of two tasks, given the fused score")
    show("ranked", seconds(lambda: lists.rank(fused), given.repeats))
    show("NDCG@10", seconds(lambda: ranking.ndcg(10), given.repeats))
    show("GAUC", seconds(ranking.gauc, given.repeats))
    show("value by position", seconds(lambda: ranking.value(logarithmic()), given.repeats))
    show(
        "value per impression, top 5",
        seconds(lambda: ranking.value_per_impression(5), given.repeats),
    )


if __name__ == "__main__":
    main()

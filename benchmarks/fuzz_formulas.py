"""Hostile formulas: each must be refused by name or computed without a warning, and soon.

    python benchmarks/fuzz_formulas.py [--cases 10000] [--seed 0] [--limit 0.05]

Reads random characters, shuffled words, damaged formulas, bombs (deep, long, huge) and random valid
formulas. What can be read is printed, read again, and computed with NumPy, PyTorch and, as an ONNX
graph, by ONNX Runtime on rows with zeros, negative, huge, infinite and missing scores. The limit is
in seconds of the processor for one formula, without what ONNX Runtime takes to load a graph. Prints
a table of outcomes and the first case of each that is not allowed; exits with 3 if there is one.
"""

import argparse
import contextlib
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import onnxruntime
import torch

from paretorank.foundation.errors import ConfigError, ParetorankError
from paretorank.fusion import Formula, FusionScorer, fused_score, parse_formula
from paretorank.fusion.module import FormulaModule
from paretorank.fusion.onnx_graph import formula_graph

BROKEN = 3
ALLOWED = {"computed", "refused", "no columns"}
"""Without columns, numbers are computed and a graph is refused."""
NAMES = ("click", "like", "watch", "odd name")
REQUEST = np.array([0, 0, 1, 1, 1, 2, 0, 1])
SCORES = np.array(
    [
        [0.0, 0.5, 10.0, 1.0],
        [0.5, -0.0, 0.0, -1.0],
        [np.nan, 0.5, 3.0, 1.0],
        [1e300, -1e300, np.inf, -np.inf],
        [-2.0, 1e-300, 1e-12, 5e-324],
        [0.25, 0.5, np.nan, 2.0],
        [0.5, 0.5, 0.0, 1.0],
        [-2.0, 1.0, 1e308, np.nan],
    ]
)
SEEDS = (
    "click^1.0 * (like + 0.01)^0.5 * watch^0.3",
    "click * (1 + $w * like - `odd name` / 2)",
    "rank(click) + $a * reciprocal_rank(like, 1, 60) + log(clip(watch, 0, 300))",
    "exp(-min(click, 2)) / max(sqrt(like), 1e-3) - place(-watch)^-0.5",
)
WORDS = (
    *"+-*/^(),$`\".;:=<>[]{}!@#%&|~?\\'",
    *("click", "like", "watch", "`odd name`", "$w", "log", "exp(", "rank(", "clip(", "min(", "cap"),
    *(
        "1",
        "0",
        "0.5",
        "1e30",
        "1e31",
        "1e-400",
        "1e999999999",
        ".",
        "1.2.3",
        "0x10",
        "1_000",
        "**",
    ),
    *(
        "nan",
        "inf",
        "None",
        "lambda: 0",
        "__import__('os')",
        "eval",
        "x.__class__",
        "\x00",
        "\ud800",
    ),
    *("\u00b2", "\u0661", "\u2212", "\u00d7", "\ufeff", "\u202e", "\n", "\t", "  ", "click like"),
)
Generator = np.random.Generator


def characters(generator: Generator) -> str:
    top = int(generator.choice([127, 255, 0x3000, 0x10FFFF]))
    return "".join(chr(c) for c in generator.integers(0, top, generator.integers(0, 60)))


def words(generator: Generator) -> str:
    picked = generator.integers(0, len(WORDS), generator.integers(1, 40))
    return generator.choice(["", " "]).join(WORDS[at] for at in picked)


def damaged(generator: Generator) -> str:
    text = str(generator.choice(SEEDS))
    for _ in range(generator.integers(1, 4)):
        at, until = sorted(generator.integers(0, len(text) + 1, 2).tolist())
        word = WORDS[generator.integers(0, len(WORDS))]
        change = generator.integers(0, 4)
        if change == 0:
            text = text[:at] + word + text[at:]
        elif change == 1:
            text = text[:at] + text[min(until, at + 3) :]
        elif change == 2:
            text = text[:at] + text[at:until] * 2 + text[until:]
        else:
            text = text[:at] + word + text[at + 1 :]
    return text


def bomb(generator: Generator) -> str:
    n = int(generator.choice([10, 31, 32, 33, 300, 1_000, 1_999, 2_001, 200_000]))
    kinds = (
        lambda: "(" * n + "click" + ")" * n,
        lambda: "-" * n + "click",
        lambda: "click^" * n + "2",
        lambda: "sqrt(" * n + "click" + ")" * n,
        lambda: "rank(" * n + "$w * click" + ")" * n,
        lambda: "reciprocal_rank(" * n + "click" + ", 1, 60)" * n,
        lambda: "click" + "*click" * n,
        lambda: "1e30" + "*1e30" * n + "-exp(1e30)" * n,
        lambda: "click" + "/0" * n,
        lambda: "9" * n,
        lambda: "1e" + "9" * n,
        lambda: "0." + "0" * n + "1",
        lambda: "a" * n,
        lambda: "`" + "a" * n,
        lambda: "``" * n,
        lambda: "$" * n,
        lambda: "log(" * n,
        lambda: "min(" + "click," * n + "1)",
        lambda: " " * n,
        lambda: "click " * n,
        lambda: ("rank(click)+" * n) + "1",
    )
    return kinds[generator.integers(0, len(kinds))]()


def valid(generator: Generator) -> str:
    return random_formula(generator, int(generator.integers(1, 7)))


def random_formula(generator: Generator, depth: int) -> str:
    """Return a formula that can be read, with nasty numbers."""
    if depth == 0 or generator.random() < 0.1:
        leaves = ("click", "like", "watch", "`odd name`", "$w", "$v", "0", "1e30", "0.5", "1e-30")
        return str(generator.choice(leaves))
    left, right, third = (random_formula(generator, depth - 1) for _ in range(3))
    forms = ("({}+{})", "({}-{})", "{}*{}", "{}/({})", "({})^({})", "-{}", "min({},{})")
    calls = ("log({})", "exp({})", "sqrt({})", "rank({})", "place({})", "clip({},{},{})")
    form = str(generator.choice((*forms, *calls, "reciprocal_rank({},{},{})")))
    return form.format(left, right, third)


KINDS: dict[str, Callable[[Generator], str]] = {
    "characters": characters,
    "words": words,
    "damaged": damaged,
    "bombs": bomb,
    "valid": valid,
}


def cases(n_cases: int, generator: Generator) -> Iterator[tuple[str, str]]:
    """Yield kind and text."""
    names = list(KINDS)
    for at in range(n_cases):
        kind = names[at % len(names)]
        yield kind, KINDS[kind](generator)


def read_and_compute(text: str) -> str:
    """Return "computed" if all that must hold does; else say what does not.

    Raises:
        ParetorankError: the formula is refused.
    """
    formula = parse_formula(text, columns=NAMES)
    again = parse_formula(str(formula), columns=NAMES)
    if again != formula:
        return "reads differently when printed"
    weights = dict.fromkeys(formula.weights, 0.5)
    columns = dict(zip(NAMES, SCORES.T, strict=True))
    once = fused_score(formula.tree, columns, weights, REQUEST)
    prepared = FusionScorer(formula, NAMES, SCORES, REQUEST)(weights)
    module = FormulaModule(formula, NAMES, weights)(torch.from_numpy(SCORES)).numpy()
    return checked(formula, once, prepared, module)


def compute_graph(text: str) -> str:
    """Return "computed" if a formula becomes a graph for which all holds that must."""
    formula = parse_formula(text, columns=NAMES)
    weights = dict.fromkeys(formula.weights, 0.5)
    try:
        graph = formula_graph(formula, weights=weights, by_request=True)
    except ConfigError as error:
        return "refused as a graph" if formula.columns or not error.hint else "no columns"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options)
    columns = {name: SCORES[:, NAMES.index(name)] for name in formula.columns}
    return checked(formula, session.run(None, columns | {"request": REQUEST})[0])


def checked(formula: Formula, *scores: np.ndarray) -> str:
    """Return "computed" if exactly the rows with a missing score are missing, and none infinite."""
    used = SCORES[:, [NAMES.index(name) for name in formula.columns]]
    missing = np.isnan(used).any(axis=1)
    for score in scores:
        if not np.array_equal(np.isnan(score), missing):
            return "missing where nothing is missing, or the reverse"
        if np.isinf(score).any():
            return "infinite"
    return "computed"


def seconds_again(text: str) -> float:
    """Return how long a formula takes that has been read before."""
    begin = time.process_time()
    with contextlib.suppress(ParetorankError):
        read_and_compute(text)
    return time.process_time() - begin


@dataclass
class Outcomes:
    """How often each kind ended how, and the first case of what is not allowed."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    slowest_s: dict[str, float] = field(default_factory=dict)
    broken: dict[str, tuple[str, str]] = field(default_factory=dict)


def fuzz(n_cases: int, seed: int, limit_s: float) -> Outcomes:
    """Read all cases and count how they end."""
    outcomes = Outcomes()
    read_and_compute(SEEDS[2])  # what is loaded late is loaded
    for kind, text in cases(n_cases, np.random.default_rng(seed)):
        begin, story = time.process_time(), ""
        try:
            outcome = read_and_compute(text)
        except ParetorankError as error:
            complete = str(error) and error.hint and (not text or "^" in str(error))
            outcome = "refused" if complete else "no hint"
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            outcome, story = type(error).__name__, traceback.format_exc(limit=-5)
        taken = time.process_time() - begin
        if taken > limit_s and outcome in {"computed", "refused"}:
            taken = min(taken, seconds_again(text))  # the first time may have been a neighbour's
            outcome = "slow" if taken > limit_s else outcome
        if outcome == "computed":
            try:
                outcome = compute_graph(text)
            except Exception as error:  # noqa: BLE001 - that is what is looked for
                outcome, story = type(error).__name__, traceback.format_exc(limit=-5)
        outcomes.counts[kind, outcome] += 1
        outcomes.slowest_s[kind] = max(taken, outcomes.slowest_s.get(kind, 0.0))
        if outcome not in ALLOWED:
            outcomes.broken.setdefault(outcome, (text[:500], story))
    return outcomes


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=0.05, help="seconds per formula")
    given = parser.parse_args()
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    outcomes = fuzz(given.cases, given.seed, given.limit)
    names = sorted({outcome for _, outcome in outcomes.counts})
    print("".join(f"{cell:>14}" for cell in ("kind", "cases", *names, "slowest ms")))
    for kind, slowest in outcomes.slowest_s.items():
        counts = [outcomes.counts[kind, name] for name in names]
        cells = (kind, sum(counts), *counts, f"{slowest * 1e3:.1f}")
        print("".join(f"{cell:>14}" for cell in cells))
    for outcome, (text, story) in outcomes.broken.items():
        print(f"\nnot allowed: {outcome}\n{text!r}\n{story}")
    if outcomes.broken:
        sys.exit(BROKEN)


if __name__ == "__main__":
    main()

"""Tables and a picture of what `slate_fronts.py` has found.

    python benchmarks/slate_table.py RESULTS [--seeds 3] [--plot FILE.svg]

For every method: the share of the hypervolume with its standard deviation over seeds; that minus
plain training with a 95 % interval (Student, paired by seed); clicks of the slates for clicks alone
and likes of those for likes alone, as shares of the way from a random order to the best slates; how
many places hold the same items in these two; the worse task at the least-misery pick, in the same
unit; how many times the compute of one plain run, and seconds of processor.

Shapes: W weights, R requests, C candidates, T tasks, S seeds.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grid import read_lines
from slate_fronts import (
    EPOCHS,
    GRID,
    N_ROWS,
    NETWORKS,
    Cell,
    cells,
    covered,
    scores_name,
    slates_of,
    values,
)

# isort: split
import numpy as np
from jaxtyping import Float
from scipy.stats import t as student

from paretorank.datasets.feed_slates import Slates
from paretorank.pareto import least_misery, simplex_lattice

TRUTH, ONE_ORDER = "the truth", "the truth, one order for all weights"
PLAIN = f"plain, {N_ROWS} rows, {EPOCHS} epochs"

Gains = Sequence[Float[np.ndarray, "R C T"]]
"""Predictions for each weight."""


@dataclass(frozen=True)
class Row:
    """A method with one seed."""

    name: str
    gains: Gains
    times_plain: float
    seconds: float


@dataclass
class Found:
    """A method with all seeds."""

    times_plain: float
    shares: dict[int, float] = field(default_factory=dict)
    """Of the hypervolume, by seed."""
    facts: list[Sequence[float]] = field(default_factory=list)
    points: list[Float[np.ndarray, "W T"]] = field(default_factory=list)
    """As shares of the way from a random order to the best slates."""


def rows_of(results: Path, seed: int, network: str) -> Iterator[Row]:
    """Yield the methods of a network, as far as their runs are there."""
    lines = read_lines(results / "lines.jsonl")
    took = {line["cell"]: line["seconds"] for line in lines if line["seed"] == seed}
    by_method: dict[tuple[str, int, int], list[Cell]] = {}
    for cell in cells():
        if cell.network == network and cell.name in took:
            by_method.setdefault((cell.method, cell.n_rows, cell.epochs), []).append(cell)
    for (method, n_rows, epochs), found in by_method.items():
        name = f"{method}, {n_rows} rows, {epochs} epochs"
        seconds = [took[cell.name] for cell in found]
        every = [scores(results, cell, seed) for cell in found]
        if method == "separate":
            even = int(np.argmin([abs((cell.share or 0) - 0.5) for cell in found]))
            plain = Row(PLAIN, every[even], 1, seconds[even])
            yield plain
        if found[0].share is not None:
            shares = np.array([cell.share for cell in found])
            near = [int(np.abs(shares - weight).argmin()) for weight in GRID[:, 0]]
            yield Row(name, [every[at][0] for at in near], len(found), sum(seconds))
        elif found[0].offset:
            mean = np.mean([plain.gains, *every], axis=0)
            n = 1 + len(found)
            yield Row(f"plain, mean of {n} runs", list(mean), n, plain.seconds + sum(seconds))
        else:
            times = epochs / EPOCHS * n_rows / N_ROWS
            yield Row(name, every[0], times, seconds[0])


def scores(results: Path, cell: Cell, seed: int) -> list[np.ndarray]:
    found = np.load(results / scores_name(cell, seed)).astype(np.float64)
    found = found if len(found) > 1 else found.repeat(len(GRID), axis=0)
    return list(found.reshape(-1, *slates_of(seed).gain.shape))


def collected(results: Path, seeds: Sequence[int], network: str) -> dict[str, Found]:
    """Return what every method of a network comes to."""
    table: dict[str, Found] = {}
    for seed in seeds:
        slates = slates_of(seed)
        start = random_order(slates)
        truth = Row(TRUTH, [slates.gain] * len(GRID), 0, 0)
        best = values(slates, truth.gains, GRID).max(axis=0)
        fixed = Row(ONE_ORDER, [one_order(seed)] * len(GRID), 0, 0)
        for row in (truth, fixed, *rows_of(results, seed, network)):
            points = values(slates, row.gains, GRID)
            way = (points - start) / (best - start)
            pick = least_misery(-points)
            worse = np.nan if pick is None else way[pick].min()
            one = table.setdefault(row.name, Found(row.times_plain))
            one.shares[seed] = covered(seed, points)
            alike = overlap(slates, row.gains)
            one.facts.append([way[0, 0], way[-1, 1], alike, worse, row.seconds])
            one.points.append(way)
    return table


def one_order(seed: int) -> Float[np.ndarray, "R C T"]:
    """Return predictions that sort by the true value for one weight, the one that covers most."""
    slates = slates_of(seed)
    scaled = simplex_lattice(2, 101) / slates.gain.mean(axis=(0, 1))
    alone = [covered(seed, slates.value(slates.gain @ weight)[None]) for weight in scaled]
    worth = slates.gain @ scaled[int(np.argmax(alone))]
    return np.stack([worth, worth], axis=2)


def random_order(slates: Slates) -> Float[np.ndarray, " T"]:
    """Return what slates in a random order bring."""
    shuffled = np.random.default_rng(1).random((20, *slates.gain.shape[:2]))
    return np.mean([slates.value(order) for order in shuffled], axis=0)


def overlap(slates: Slates, gains: Gains) -> float:
    """Return the share of places with items of both slates, of clicks alone and of likes alone."""
    n_places = len(slates.examined)
    first = np.argsort(-gains[0][:, :, 0], axis=1)[:, :n_places]
    last = np.argsort(-gains[-1][:, :, 1], axis=1)[:, :n_places]
    same = [len(np.intersect1d(a, b)) for a, b in zip(first, last, strict=True)]
    return float(np.mean(same) / n_places)


def print_tables(results: Path, seeds: Sequence[int]) -> None:
    """Print a table per network, in Markdown."""
    for network in NETWORKS:
        table = collected(results, seeds, network)
        base = table[PLAIN].shares if PLAIN in table else {}
        print(f"\n**{network}**\n")
        print("| | covered (sd) | minus plain | clicks | likes | alike | worse | runs | s | n |")
        print("|---|---|---|---|---|---|---|---|---|---|")
        for name, one in table.items():
            own = np.array(list(one.shares.values()))
            spread = own.std(ddof=1) if len(own) > 1 else 0.0
            facts = " | ".join(f"{value:.2f}" for value in np.mean(one.facts, axis=0)[:4])
            print(
                f"| {name} | {own.mean():.3f} ({spread:.3f}) | {gap(one.shares, base)} | {facts}"
                f" | {one.times_plain:g} | {np.mean(one.facts, axis=0)[4]:.0f} | {len(own)} |"
            )


def gap(shares: Mapping[int, float], base: Mapping[int, float]) -> str:
    """Return the mean difference with half of its interval."""
    gaps = np.array([shares[seed] - base[seed] for seed in shares if seed in base])
    if len(gaps) < 2:
        return ""
    half = student.ppf(0.975, len(gaps) - 1) * gaps.std(ddof=1) / np.sqrt(len(gaps))
    return f"{gaps.mean():+.3f} +- {half:.3f}"


def plot(results: Path, seeds: Sequence[int], shown: Mapping[str, str], path: Path) -> None:
    """Draw the mean front of some methods, a panel per network."""
    import altair as alt

    records = [
        {"network": network, "method": label, "at": at, "clicks": point[0], "likes": point[1]}
        for network in NETWORKS
        for name, one in collected(results, seeds, network).items()
        if (label := shown.get(name))
        for at, point in enumerate(np.mean(one.points, axis=0).tolist())
    ]
    colour = alt.Color("method:N", sort=list(dict.fromkeys(shown.values())), title=None)
    base = alt.Chart(alt.Data(values=records)).encode(
        x=alt.X("clicks:Q", title="clicks, from random (0) to best (1)"),
        y=alt.Y("likes:Q", title="likes, from random (0) to best (1)"),
        order="at:Q",
        color=colour,
    )
    chart = (base.mark_line() + base.mark_point(filled=True, size=25)).properties(
        width=300, height=300
    )
    chart.facet(column=alt.Column("network:N", title=None, sort=list(NETWORKS))).save(str(path))


SHOWN = {
    TRUTH: "the truth",
    PLAIN: "one plain run, fused",
    f"plain, {9 * N_ROWS} rows, {EPOCHS} epochs": "one plain run, nine times the rows",
    "plain, mean of 5 runs": "mean of five plain runs, fused",
    f"separate, {N_ROWS} rows, {EPOCHS} epochs": "five separate runs",
    f"bounds, {N_ROWS} rows, {EPOCHS} epochs": "five PE-LTR runs",
    f"told film, {N_ROWS} rows, {5 * EPOCHS} epochs": "one model that is told",
    f"told concat, {N_ROWS} rows, {5 * EPOCHS} epochs": "one model that is told",
}
"""What the picture shows, by the name of the row."""


def main() -> None:
    """Print, and draw if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    seeds = range(1, given.seeds + 1)
    print_tables(given.results, seeds)
    if given.plot:
        plot(given.results, seeds, SHOWN, given.plot)


if __name__ == "__main__":
    main()

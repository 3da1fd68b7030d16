"""Fronts of slates on a feed whose tasks conflict: what can be had, and which method gets it.

    python benchmarks/slate_fronts.py RESULTS [--seeds 3]
    python benchmarks/slate_table.py RESULTS [--seeds 3] [--plot FILE.svg]

People like what they do not click: the direction of P(like | click) is nearly opposite to that of
P(click), so that the slate of most clicks brings fewer likes than a random one. For 11 weights of
clicks and likes, each in units of its mean, a model fills ten places from fifty candidates by the
weighted sum of its two predictions. The share of the hypervolume is what its 11 mean slate values
cover of what the best slates for 101 weights cover, in expected events, which the simulator knows;
nothing is drawn. The reference is the worst of the best slates in each task and a tenth of the
range. 1 is for whoever knows the truth and uses all weights.

A weight is served by the run of a set that was trained with the nearest weight, and told to a model
that can be told. Weights and preferences count losses in units of that of the constant forecast.

Two kinds of network: `roomy`, a shared bottom with towers and a wide part; and `one number`, a
bottom with one output below both towers and nothing beside it, as in retrieval where items are
searched by one score. World, log, slates and networks differ from seed to seed. Interrupted runs
go on; every finished run is one line of RESULTS/lines.jsonl.

Shapes: R requests, C candidates, T tasks, W weights.
"""

import argparse
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from grid import append_line, one_thread, read_lines

# isort: split
import numpy as np
from jaxtyping import Float

from paretorank.config import load_config
from paretorank.datasets import FeedConfig, feed_config_toml, simulate_feed
from paretorank.datasets.feed_config import FeedRates
from paretorank.datasets.feed_slates import Slates
from paretorank.pareto import hypervolume, reference_point, simplex_lattice
from paretorank.workflows.ingest import prepare
from paretorank.workflows.predict import load_model
from paretorank.workflows.run_folder import RunFolder
from paretorank.workflows.scored_log import score_preferences
from paretorank.workflows.train import train_run

TASKS = ("click", "like")
GRID = simplex_lattice(2, 11)
TRAINED = simplex_lattice(2, 5)
N_ROWS = 40_000
EPOCHS = 2
SIZES = (N_ROWS, 3 * N_ROWS, 9 * N_ROWS)
RATES = {"click": 0.4, "like": 0.08}
COMMON = (
    "model.embedding_dim=8",
    "model.tower_dims=[32]",
    "training.batch_size=256",
    "training.early_stopping.patience=0",
    "training.tensorboard=false",
    "evaluation.n_resamples=0",
)
NETWORKS = {
    "roomy": (
        "model.architecture={kind='shared_bottom', hidden_dims=[64, 32]}",
        "training.learning_rate=0.004",
        "training.embedding_learning_rate=0.004",
    ),
    "one number": (
        "model.architecture={kind='shared_bottom', hidden_dims=[64, 1], activation='silu'}",
        "model.wide=false",
        "training.learning_rate=0.01",
        "training.embedding_learning_rate=0.01",
    ),
}
KINDS = {"roomy": ("film",), "one number": ("film", "hypernetwork", "concat")}
"""Ways of telling that are tried; the last one is trained longer, too."""


@dataclass(frozen=True)
class Cell:
    """One run."""

    network: str
    method: str
    settings: tuple[str, ...]
    share: float | None = None
    """Of clicks among the weights or bounds that it was trained with."""
    epochs: int = EPOCHS
    n_rows: int = N_ROWS
    offset: int = 0
    """Added to the seed of the network."""

    @property
    def name(self) -> str:
        """Return what tells the run from others."""
        share = "" if self.share is None else f" {self.share:.2f}"
        parts = (self.network, self.method + share, f"{self.n_rows}", f"{self.epochs}")
        return " - ".join(parts) + (f" + {self.offset}" if self.offset else "")


def cells() -> list[Cell]:
    """Return all runs of one seed; the even one of `separate` is the plain run."""
    found, longer = [], 5 * EPOCHS
    for network, kinds in KINDS.items():
        for share in TRAINED[:, 0].tolist():
            bounds = toml({"click": 0.8 * share, "like": 0.8 * (1 - share)})
            pe_ltr = (f"balancer={{kind='pe_ltr', bounds={bounds}}}",)
            found.append(Cell(network, "separate", weighted(share), share))
            found.append(Cell(network, "bounds", pe_ltr, share))
        found += [Cell(network, f"told {kind}", told(kind)) for kind in kinds]
        found.append(Cell(network, f"told {kinds[-1]}", told(kinds[-1]), epochs=longer))
    plain = Cell("roomy", "plain", weighted(0.5))
    found += [replace(plain, n_rows=size) for size in SIZES[1:]]
    found += [replace(plain, offset=100 * k) for k in range(1, 5)]
    return [*found, replace(plain, epochs=longer)]


def weighted(share: float) -> tuple[str, ...]:
    """Return static weights of losses that are divided by that of the constant forecast."""
    shares = {"click": share, "like": 1 - share}
    weights = {task: round(part / entropy(RATES[task]), 4) for task, part in shares.items()}
    return (f"balancer={{kind='static', weights={toml(weights)}}}",)


def told(kind: str) -> tuple[str, ...]:
    return (f"model.preference={{kind='{kind}'}}", "balancer={kind='preference', alpha=0.3}")


def entropy(rate: float) -> float:
    return -rate * math.log(rate) - (1 - rate) * math.log(1 - rate)


def toml(values: Mapping[str, float]) -> str:
    return "{" + ", ".join(f"{name}={value:.4f}" for name, value in values.items()) + "}"


# --- the feed and its slates


def feed(seed: int, n_rows: int) -> FeedConfig:
    return FeedConfig(
        n_rows=n_rows,
        n_users=300,
        n_items=500,
        n_authors=100,
        relatedness=-0.8,
        drift_per_day=0.0,
        seed=seed,
        rates=FeedRates(long_view=0.2, **RATES),
    )


@cache
def slates_of(seed: int) -> Slates:
    """Return the slates of a seed, the same ones for logs of every size."""
    data = simulate_feed(feed(seed, N_ROWS))
    return Slates.drawn(data, TASKS, n_requests=300, n_candidates=50, n_places=10, seed=seed)


def values(
    slates: Slates, gains: Sequence[Float[np.ndarray, "R C T"]], weights: Float[np.ndarray, "W T"]
) -> Float[np.ndarray, "W T"]:
    """Return the slate values where each weight is served by predictions of its own."""
    scaled = weights / slates.gain.mean(axis=(0, 1))
    return np.stack([slates.value(g @ w) for g, w in zip(gains, scaled, strict=True)])


@cache
def frame_of(seed: int) -> tuple[Float[np.ndarray, " T"], float]:
    """Return the reference, and the hypervolume of the best slates from there."""
    slates = slates_of(seed)
    fine = simplex_lattice(2, 101)
    best = values(slates, [slates.gain] * len(fine), fine)
    start = -reference_point(-best)
    return start, hypervolume(-best, -start)


def covered(seed: int, points: Float[np.ndarray, "W T"]) -> float:
    start, whole = frame_of(seed)
    return hypervolume(-points, -start) / whole


# --- runs


def train_all(results: Path, seeds: Sequence[int]) -> None:
    """Train what is missing: every cell with all seeds, then the next one."""
    done = {(line["cell"], line["seed"]) for line in read_lines(results / "lines.jsonl")}
    for cell in cells():
        for seed in seeds:
            if (cell.name, seed) not in done:
                line = run(results, cell, seed)
                append_line(results / "lines.jsonl", line)
                print(f"seed {seed}  {cell.name:45} {line['seconds']:.1f} s", flush=True)


def run(results: Path, cell: Cell, seed: int) -> dict[str, object]:
    """Train a run and keep what it predicts for the candidates, for every weight if told any."""
    path = written_feed(results, seed, cell.n_rows)
    own = [*COMMON, *NETWORKS[cell.network], *cell.settings, f"training.epochs={cell.epochs}"]
    config = load_config(path, [*own, f"training.seed={seed + cell.offset}"])
    prepared = prepare(config, path.parent / "prepared")
    folder = RunFolder(path.parent / cell.name.replace(" ", "-"))
    start = time.process_time()
    if not folder.metrics_path.exists():
        train_run(config, folder, prepared=prepared, resume=folder.was_begun)
    seconds = time.process_time() - start
    model, encoder, config = load_model(folder)
    rows = slates_of(seed).frame.lazy()
    is_told = model.preference.is_read
    wanted = [dict(zip(TASKS, row, strict=True)) for row in GRID.tolist()] if is_told else [None]
    logs = score_preferences(model, encoder, config, wanted, rows=rows)
    scores = np.stack([log.rows.scores for log in logs]).astype(np.float32)
    np.save(results / scores_name(cell, seed), scores)
    return {"cell": cell.name, "seed": seed, "seconds": seconds}


def scores_name(cell: Cell, seed: int) -> str:
    return f"scores-{cell.name.replace(' ', '-')}-seed{seed}.npy"


def written_feed(results: Path, seed: int, n_rows: int) -> Path:
    """Write a log and a configuration in which a like is a task of all rows."""
    folder = results / f"feed-{n_rows}-seed{seed}"
    path = folder / "feed.toml"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        world = feed(seed, n_rows)
        simulate_feed(world).log.write_parquet(folder / "log.parquet")
        text = feed_config_toml(world, tasks=TASKS).replace('parent = "click"\n', "")
        path.write_text(text, encoding="utf-8")
    return path


def main() -> None:
    """Train what is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    one_thread()
    train_all(given.results, range(1, given.seeds + 1))


if __name__ == "__main__":
    main()

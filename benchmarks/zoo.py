"""Every architecture with every relation, on KuaiRand and on a simulated feed.

    paretorank data get kuairand --from FOLDER --out DATA
    python benchmarks/zoo.py RESULTS --kuairand DATA [--seeds 5] [--full] [--report]

Small on purpose: embeddings of 8, experts of 64 and 32 units where a run has 256 and 128, towers of
32 where it has 64; one epoch on KuaiRand (131,474 rows to train on), two on the feed (48,000).
Learning rates of 0.004 do best for MMoE without a relation on the validation rows of KuaiRand,
among 0.001, 0.002 and 0.004; no cell has rates of its own. The balancer is that of uncertainty, all
else as the adapters write it. One process, one thread. The relations need `parent = "click"`, so
that all cells have it and all are judged on the same labels: each task on all impressions. ESMM and
ESCM2 learn that nothing happens without a click; on KuaiRand a little does, and is judged so.
The feed is simulated once; remove RESULTS to simulate another.

Every cell is trained with the first seed; with the others, unless `--full`, every architecture
without a relation, and every relation on three of them.

`--report` prints, per data set, means over seeds, and in brackets what differs from MMoE without a
relation, in thousandths, with a 95 % interval over seeds (a star: 0 is outside). With this many
cells, some stars are chance. Cost is CPU time of a whole run, relative to the same cell.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from grid import Grid, grid_parser, kinds, one_thread, run_grid
from grid_table import GridTable
from kuairand import AFTER_CLICK

from paretorank.architectures import ArchitectureConfig
from paretorank.datasets import FeedConfig, write_feed
from paretorank.datasets.feed_config import FeedRates
from paretorank.relations import RelationConfig

BASE = "mmoe none"
TWINS = "twins none"
ADDED = {"pepnet": "prior=[{keys}], gate_dim=32"}
"""What an architecture needs beside its widths."""
CORE = ("shared_bottom", "mmoe", "ple")
"""Architectures that are trained with every relation and all seeds."""
CONTROLS = {"shared_bottom x8": "{kind='shared_bottom', hidden_dims=[512, 32]}"}
"""A bottom with as many units in its first layer as eight experts have together."""
SMALL = (
    "model.embedding_dim=8",
    "model.tower_dims=[32]",
    "balancer={kind='uncertainty'}",
    "training.learning_rate=0.004",
    "training.embedding_learning_rate=0.004",
)
KUAIRAND = (*SMALL, *AFTER_CLICK, "training.epochs=1")
FEED = (*SMALL, "training.epochs=2")
FIGURES = {
    "kuairand": (
        "click.auc", "long_view.auc", "like.auc", "profile_enter.auc", "play_time.xauc",
        "click.gauc", "long_view.gauc",
    ),
    "feed": ("click.auc", "long_view.auc", "like.auc", "watch.xauc", "click.gauc", "like.gauc"),
}  # fmt: skip
KEYS = {"kuairand": "'user_id', 'video_id'", "feed": "'user_id', 'item_id'"}
WORLD = FeedConfig(
    n_rows=60_000,
    n_users=1_500,
    n_items=2_000,
    n_authors=400,
    seed=1,
    rates=FeedRates(click=0.4, long_view=0.2, like=0.08),
)
"""A feed in which long views and likes follow a click, and are frequent enough to be measured."""


def cells(keys: str) -> dict[str, list[str]]:
    """Return the settings of all cells, the base first."""
    found = {
        f"{name} {relation}": [f"model.architecture={text}", f"model.relations.kind={relation}"]
        for name, text in architectures(keys).items()
        for relation in kinds(RelationConfig)
    }
    found[TWINS] = [f"model.architecture={architectures(keys)['shared_bottom']}"]
    for name, text in CONTROLS.items():
        found[f"{name} none"] = [f"model.architecture={text}"]
    return {BASE: found.pop(BASE), **found}


def core(names: Iterable[str]) -> list[str]:
    """Return the cells that are trained with all seeds."""
    parts = [(name, name.rsplit(" ", 1)) for name in names]
    return [name for name, (above, relation) in parts if relation == "none" or above in CORE]


def architectures(keys: str) -> dict[str, str]:
    """Return every architecture of the union, narrow."""
    found = {}
    for kind, section in kinds(ArchitectureConfig).items():
        width = "expert_dims" if "expert_dims" in section.model_fields else "hidden_dims"
        parts = [f"kind='{kind}'", f"{width}=[64, 32]", ADDED.get(kind, "").format(keys=keys)]
        found[kind] = "{" + ", ".join(filter(None, parts)) + "}"
    return found


def grids(results: Path, kuairand: Path | None) -> dict[str, Grid]:
    """Return the grid of each data set; the feed is written if it is not there."""
    feed = results / "feed" / "feed.toml"
    if not feed.exists():
        feed.parent.mkdir(parents=True, exist_ok=True)
        write_feed(feed.parent, WORLD)
    found: dict[str, tuple[Path, Sequence[str]]] = {"feed": (feed, FEED)}
    if kuairand is not None:
        found = {"kuairand": (kuairand / "kuairand.toml", KUAIRAND), **found}
    return {
        name: Grid(
            config=path,
            cells=cells(KEYS[name]),
            results=results / f"zoo-{name}.jsonl",
            settings=settings,
            twins=frozenset({TWINS}),
        )
        for name, (path, settings) in found.items()
    }


def report(name: str, grid: Grid) -> str:
    """Return the tables of one data set."""
    table = GridTable(grid, FIGURES[name], BASE)
    rows = [*kinds(ArchitectureConfig), *CONTROLS, "twins"]
    cross = table.cross(rows, [*kinds(RelationConfig)])
    return f"## {name}\n\nMean of all figures:\n\n{cross}\n\n{table.markdown()}\n"


def main() -> None:
    """Train what is missing, or print the tables."""
    parser = grid_parser(__doc__)
    parser.add_argument("--full", action="store_true", help="train every cell with every seed")
    given = parser.parse_args()
    one_thread()
    found = grids(given.results, given.kuairand)
    for seed in range(1, given.seeds + 1) if not given.report else ():
        for grid in found.values():
            every = given.full or seed == 1
            run_grid(grid, [seed], cells=None if every else core(grid.cells))
    for name, grid in found.items():
        print(report(name, grid))


if __name__ == "__main__":
    main()

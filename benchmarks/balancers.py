"""Every balancer on a shared bottom and on MMoE, against equal weights.

    python benchmarks/balancers.py RESULTS [--kuairand DATA] [--seeds 5] [--report]

Each with all kinds that `balancer.kind` knows (those of a union, so that new ones join), and one
twin per task, which has nothing to balance. Sizes, learning rates and data are those of `zoo.py`;
there is no relation. `--report` prints means over seeds, and in brackets what differs from equal
weights on the same architecture, in thousandths, with a 95 % interval over seeds (a star: 0 is
outside), and of their mean what differs from the twins. Cost is CPU time of a whole run, to that of
equal weights.
"""

from collections.abc import Mapping
from dataclasses import replace

import zoo
from grid import Grid, grid_parser, kinds, one_thread, run_grid
from grid_table import GridTable

from paretorank.balancing import BalancerConfig

ARCHITECTURES = ("shared_bottom", "mmoe")
BASE, TWINS = "equal", "twins"
SAME = {"sum", "static", "constant", "preference"}
"""Without weights of their own, they are `equal` by other names; a preference needs its model."""
NEEDS: Mapping[str, str] = {}
"""What a kind cannot do without, as TOML: "weights={click=1.0}"."""


def balancers() -> dict[str, str]:
    """Return the settings of every balancer, equal weights first."""
    found = {
        kind: "{" + ", ".join(filter(None, [f"kind='{kind}'", NEEDS.get(kind, "")])) + "}"
        for kind in kinds(BalancerConfig)
        if kind not in SAME
    }
    return {BASE: found.pop(BASE), **found}


def with_balancers(grid: Grid, architecture: str, keys: str) -> Grid:
    """Return the grid of one architecture on the data of another grid."""
    chosen = f"model.architecture={zoo.architectures(keys)[architecture]}"
    cells = {name: [chosen, f"balancer={text}"] for name, text in balancers().items()}
    cells[TWINS] = [chosen]
    name = grid.results.name.replace("zoo", f"balancers-{architecture}")
    path = grid.results.with_name(name)
    return replace(grid, cells=cells, results=path, twins=frozenset({TWINS}))


def main() -> None:
    """Train what is missing, or print the tables."""
    given = grid_parser(__doc__).parse_args()
    one_thread()
    grids = {
        (data, architecture): with_balancers(grid, architecture, zoo.KEYS[data])
        for data, grid in zoo.grids(given.results, given.kuairand).items()
        for architecture in ARCHITECTURES
    }
    for seed in range(1, given.seeds + 1) if not given.report else ():
        for grid in grids.values():
            run_grid(grid, [seed])
    for (data, architecture), grid in grids.items():
        table = GridTable(grid, zoo.FIGURES[data], BASE, other=TWINS)
        print(f"## {data}, {architecture}\n\n{table.markdown()}\n")


if __name__ == "__main__":
    main()

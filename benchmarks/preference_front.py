"""One model for all preferences: what of a known front it finds, and what it saves.

    python benchmarks/preference_front.py toy
    python benchmarks/preference_front.py feed RESULTS [--rows 60000] [--epochs 2]
    paretorank data get kuairand --from FOLDER --out DATA
    python benchmarks/preference_front.py runs RESULTS --config DATA/kuairand.toml

`toy`: two outputs are a place in the plane, the losses half the squared distances from two aims;
the exact front is the line between. Share of its hypervolume from (0.55, 0.55) at 11 preferences.

`feed`: slates of a simulated feed, filled by the model's own weighted expectation of clicks and
likes, for 11 weights; share of the hypervolume of the best slates that there are, from the value
of a random order, which the best model of all gets to 1. The model is told the weights, told
nothing, or trained without preferences.

`runs`: models that are trained separately with fixed weights, against one that can be told a
preference: with all their epochs together, and with those of one of them. Both are scored at the
same weights on the validation rows. All hypervolumes are from one reference, the worst of all
points and a tenth of the range. Interrupted runs go on. One process, one thread.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from grid import one_thread

# isort: split
import numpy as np
import torch

from paretorank.architectures import SharedBottomConfig
from paretorank.balancing import PreferenceConfig
from paretorank.config import RunConfig, load_config
from paretorank.data.batch import Batch
from paretorank.data.layout import Layout, NumericColumn
from paretorank.datasets import FeedConfig, oracle_front, simulate_feed, write_feed
from paretorank.datasets.feed_config import FeedRates
from paretorank.datasets.feed_slates import Slates
from paretorank.model import ModelConfig, build_model
from paretorank.pareto import hypervolume, reference_point, simplex_lattice
from paretorank.tasks import BinaryTask
from paretorank.workflows.front import FrontOptions
from paretorank.workflows.front_points import front_of
from paretorank.workflows.ingest import prepare
from paretorank.workflows.predict import load_model, predict_frame
from paretorank.workflows.run_folder import RunFolder
from paretorank.workflows.train import train_run

GRID = simplex_lattice(2, 11)
SMALL = (
    "model.architecture={kind='mmoe', expert_dims=[64, 32]}",
    "model.embedding_dim=8",
    "model.tower_dims=[32]",
    "training.learning_rate=0.004",
    "training.embedding_learning_rate=0.004",
    "training.early_stopping.patience=0",
    "training.tensorboard=false",
    "evaluation.n_resamples=0",
)
KINDS = ("film", "concat", "hypernetwork")
SCALARISATIONS = ("linear", "tchebycheff", "cosmos")


def told(kind: str, *, normalise: bool = True) -> list[str]:
    """Return the settings of a model that can be told a preference."""
    draws = f"balancer={{kind='preference', normalise={str(normalise).lower()}}}"
    return [f"model.preference={{kind='{kind}'}}", draws]


# --- a toy whose front is known


def toy_losses(place: torch.Tensor) -> torch.Tensor:
    aims = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    return (place - aims).square().sum(dim=1) / 2


def toy(kind: str, scalarisation: str, steps: int = 300) -> np.ndarray:
    """Train one model on the toy; return its losses at every preference of the grid."""
    layout = Layout(
        tables=(), categorical=(), ragged=(), numeric=(NumericColumn(name="x"),), labels=()
    )
    config = ModelConfig.model_validate(
        {
            "architecture": SharedBottomConfig(hidden_dims=(16,)),
            "tower_dims": (16,),
            "wide": False,
            "preference": {"kind": kind},
        }
    )
    tasks = {name: BinaryTask(label=name) for name in ("a", "b")}
    model = build_model(config, layout, tasks, seed=1)
    settings = {"scalarisation": scalarisation, "mu": 0.02, "cosine_penalty": 0.005}
    balancer = PreferenceConfig.model_validate({**settings, "normalise": False}).build(
        task_names=("a", "b"), balance_factors=torch.ones(2), generator=torch.Generator()
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        row = one_row().preferring(balancer.draw_preference())
        balancer(toy_losses(model(row)[0])).backward()
        optimizer.step()
        schedule.step()
    shares = torch.from_numpy(GRID).float()
    with torch.no_grad():
        places = [model(one_row().preferring(share))[0] for share in shares]
    return np.stack([toy_losses(place).numpy() for place in places]).astype(float)


def one_row() -> Batch:
    return Batch(
        codes=torch.zeros(1, 0, dtype=torch.int32),
        numeric=torch.ones(1, 1),
        ragged=(),
        labels=torch.zeros(1, 2),
        observed=torch.ones(1, 2, dtype=torch.bool),
        weight=torch.ones(1),
        request=torch.zeros(1, dtype=torch.long),
        row=torch.zeros(1, dtype=torch.long),
    )


def report_toy() -> None:
    at = np.linspace(0, 1, 2001)
    reference = np.array([0.55, 0.55])
    whole = hypervolume(np.stack([at**2, (1 - at) ** 2], axis=1) / 2, reference)
    exact = hypervolume(GRID[:, ::-1] ** 2 / 2, reference) / whole
    print(f"exact points at 11 preferences: {exact:.4f}")
    for kind in KINDS:
        for scalarisation in SCALARISATIONS:
            costs = toy(kind, scalarisation)
            share = hypervolume(costs, reference) / whole
            ends = f"{costs[0, 0]:.4f} {costs[-1, 1]:.4f}"
            print(f"{kind:13} {scalarisation:12} {share:.4f}  losses at the ends {ends}")


# --- slates of a feed


def report_feed(results: Path, n_rows: int, epochs: int, n_requests: int) -> None:
    world = FeedConfig(
        n_rows=n_rows,
        n_users=n_rows // 40,
        n_items=max(200, n_rows // 30),
        n_authors=max(20, n_rows // 150),
        rates=FeedRates(click=0.4, long_view=0.2, like=0.08),
    )
    results.mkdir(parents=True, exist_ok=True)
    path = write_feed(results, world)
    data, tasks = simulate_feed(world), ("click", "like")
    slates = Slates.drawn(data, tasks, n_requests=n_requests, n_candidates=50, n_places=10)
    shuffled = np.random.default_rng(1).random((20, *slates.gain.shape[:2]))
    start = -np.mean([slates.value(order) for order in shuffled], axis=0)
    best = oracle_front(
        data,
        weights=simplex_lattice(2, 101),
        tasks=tasks,
        n_requests=n_requests,
        n_candidates=50,
        n_places=10,
    )
    whole = hypervolume(-best.select(tasks).to_numpy(), start)
    common = [*SMALL, f"training.epochs={epochs}", 'tasks.like.observed_when="click"']
    cells = {f"told, {kind}": told(kind) for kind in KINDS}
    for name, settings in {**cells, "plain": ["balancer.kind='uncertainty'"]}.items():
        folder = RunFolder(results / name.replace(", ", "-"))
        if not folder.metrics_path.exists():
            train_run(load_config(path, [*common, *settings]), folder, resume=folder.was_begun)
        for is_told in (True, False) if name in cells else (False,):
            points = np.stack([slate_value(folder, slates, w, is_told=is_told) for w in GRID])
            share = hypervolume(-points, start) / whole
            how = "weights as preference" if is_told else "no preference"
            print(f"{name:20} {how:22} {share:.4f} of the oracle's hypervolume", flush=True)


def slate_value(
    folder: RunFolder, slates: Slates, weights: np.ndarray, *, is_told: bool
) -> np.ndarray:
    model, encoder, config = load_model(folder)
    preference = dict(zip(("click", "like"), weights.tolist(), strict=True)) if is_told else None
    rows = slates.frame.lazy()
    scores = predict_frame(model, encoder, config, rows, preference=preference)
    click, like = (scores[name].to_numpy().astype(float) for name in ("click", "like"))
    worth = weights[0] * click + weights[1] * click * like  # a like is scored given a click
    return slates.value(worth.reshape(slates.gain.shape[:2]))


# --- against models that are trained separately


def report_runs(
    results: Path,
    config: Path,
    *,
    objectives: Sequence[str],
    n_runs: int,
    epochs: int,
    kind: str,
) -> None:
    tasks = [name.rsplit(".", 1)[0] for name in objectives]
    grid = simplex_lattice(2, n_runs)
    names = list(load_config(config).tasks)
    cells: dict[str, list[str]] = {}
    for shares in grid:
        weights = dict.fromkeys(names, 0.0) | dict(zip(tasks, shares.tolist(), strict=True))
        cells[f"alone-{shares[0]:.2f}"] = [f"balancer={{kind='static', weights={toml(weights)}}}"]
    separate = list(cells)
    cells["told-as-long-as-one"] = told(kind, normalise=False)
    cells["told-as-long-as-all"] = told(kind, normalise=False)
    for name, settings in cells.items():
        times = len(grid) if name.endswith("all") else 1
        common = [*SMALL, f"training.epochs={epochs * times}"]
        train_missing(load_config(config, [*common, *settings]), RunFolder(results / name))
    options = FrontOptions(objectives=tuple(objectives), n_resamples=0)
    found = {
        "separate": front_of([results / name for name in separate], options).front,
        **{
            name: front_of([results / name], options, n_points=n_runs).front
            for name in cells
            if name not in separate
        },
    }
    start = reference_point(np.concatenate([front.costs for front in found.values()]))
    print(f"reference: costs of {start.round(5).tolist()}")
    for name, front in found.items():
        points = ", ".join("/".join(f"{value:.4f}" for value in row) for row in front.values)
        print(f"{name:22} hypervolume {hypervolume(front.costs, start):.3e}  {points}")


def toml(weights: Mapping[str, float]) -> str:
    return "{" + ", ".join(f"{name}={value}" for name, value in weights.items()) + "}"


def train_missing(config: RunConfig, folder: RunFolder) -> None:
    if folder.metrics_path.exists():
        return
    prepared = prepare(config, folder.path.parent / "prepared")
    run = train_run(config, folder, prepared=prepared, resume=folder.was_begun)
    print(f"{folder.path.name}: {run.report.seconds:.0f} s", flush=True)


def main() -> None:
    """Run one of the three."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["toy", "feed", "runs"])
    parser.add_argument("results", type=Path, nargs="?", default=Path("preference-front"))
    parser.add_argument("--config", type=Path, help="of `runs`")
    parser.add_argument("--objectives", nargs=2, default=["click.auc", "play_time.xauc"])
    parser.add_argument("--runs", type=int, default=5, help="separate runs, and preferences")
    parser.add_argument("--kind", choices=KINDS, default="film")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--requests", type=int, default=400)
    given = parser.parse_args()
    one_thread()
    if given.what == "toy":
        report_toy()
    elif given.what == "feed":
        report_feed(given.results, given.rows, given.epochs, given.requests)
    elif given.config is None:
        parser.error("`runs` needs --config FILE.toml")
    else:
        report_runs(
            given.results,
            given.config,
            objectives=given.objectives,
            n_runs=given.runs,
            epochs=given.epochs,
            kind=given.kind,
        )


if __name__ == "__main__":
    main()

"""One model for all preferences: what of a known front it finds, and how it does on a log.

    python benchmarks/preference_front.py toy
    paretorank data get kuairand --from FOLDER --out DATA
    python benchmarks/preference_front.py runs RESULTS --config DATA/kuairand.toml

`toy`: two outputs are a place in the plane, the losses half the squared distances from two aims;
the exact front is the line between. Share of its hypervolume from (0.55, 0.55) at 11 preferences.

`runs`: three ways to a front at equal compute, see `front_runs.py`. Interrupted runs go on. One
process, one thread. Slates of a simulated feed: `slate_fronts.py`.
"""

import argparse
from pathlib import Path

from front_runs import Study, report_runs
from grid import one_thread

# isort: split
import numpy as np
import torch

from paretorank.architectures import SharedBottomConfig
from paretorank.balancing import PreferenceConfig
from paretorank.data.batch import Batch
from paretorank.data.layout import Layout, NumericColumn
from paretorank.model import ModelConfig, build_model
from paretorank.pareto import hypervolume, simplex_lattice
from paretorank.tasks import BinaryTask

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


def main() -> None:
    """Run one of the two."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["toy", "runs"])
    parser.add_argument("results", type=Path, nargs="?", default=Path("preference-front"))
    parser.add_argument("--config", type=Path, help="of `runs`")
    parser.add_argument("--objectives", nargs=2, default=["click.auc", "play_time.xauc"])
    parser.add_argument("--runs", type=int, default=5, help="separate runs, and preferences")
    parser.add_argument("--seeds", type=int, default=3, help="of `runs`")
    parser.add_argument("--kind", choices=KINDS, default="film")
    parser.add_argument("--epochs", type=int, default=1)
    given = parser.parse_args()
    one_thread()
    if given.what == "toy":
        report_toy()
    elif given.config is None:
        parser.error("`runs` needs --config FILE.toml")
    else:
        report_runs(
            Study(
                given.results,
                given.config,
                tuple(given.objectives),
                SMALL,
                told(given.kind, normalise=False),
                n_runs=given.runs,
                epochs=given.epochs,
                n_seeds=given.seeds,
            )
        )


if __name__ == "__main__":
    main()

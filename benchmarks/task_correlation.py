"""Loss against the correlation of two tasks: what mixtures of experts gain, and where they do not.

    python benchmarks/task_correlation.py [--seeds 8] [--steps 2500] [--plot FILE.svg]

Source: Ma et al., "Modeling Task Relationships in Multi-task Learning with Multi-gate
Mixture-of-Experts", KDD 2018, sections 3 and 5.1: two regression tasks whose weight vectors have a
given cosine; Shared-Bottom of 113 units and mixtures of eight experts of 16 units, which have about
as many parameters. Every model sees the same rows, seed by seed, so differences are paired. Below
zero the tasks pull the shared layers in opposite directions, which the paper does not show.
"""

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn

from paretorank.architectures import MMoEConfig, OMoEConfig, SharedBottomConfig
from paretorank.blocks import OutputBank, TowerBank
from paretorank.datasets import MMoESyntheticConfig, simulate_mmoe_synthetic

BATCH, LAST_STEPS, LEARNING_RATE = 128, 200, 2e-3
MODELS = {
    "Shared-Bottom": SharedBottomConfig(hidden_dims=(113,)),
    "OMoE": OMoEConfig(n_experts=8, expert_dims=(16,)),
    "MMoE": MMoEConfig(n_experts=8, expert_dims=(16,)),
}
CORRELATIONS = (-1.0, -0.5, 0.0, 0.5, 0.9, 1.0)
PAIRS = (("MMoE", "Shared-Bottom"), ("OMoE", "Shared-Bottom"), ("MMoE", "OMoE"))


class Network(nn.Module):
    """An architecture with a tower of eight units per task."""

    def __init__(self, name: str, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.shared = MODELS[name].build(in_dim=100, n_tasks=2, generator=generator)
        self.towers = TowerBank(self.shared.out_dim, (8,), 2, generator=generator)
        self.output = OutputBank(8, (1, 1), generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Return one number per row and task."""
        outputs: Tensor = self.output(self.towers(self.shared(x)))
        return outputs


def final_loss(name: str, x: Tensor, y: Tensor, seed: int) -> float:
    """Train on fresh rows; return the squared error per task over the last steps."""
    network = Network(name, seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, fused=True)
    losses = []
    for start in range(0, len(x), BATCH):
        rows = slice(start, start + BATCH)
        loss = (network(x[rows]) - y[rows]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return float(torch.stack(losses[-LAST_STEPS:]).mean())


def study(n_seeds: int, n_steps: int) -> dict[float, dict[str, list[float]]]:
    """Return the final losses by correlation and model, one per seed."""
    found: dict[float, dict[str, list[float]]] = {}
    for correlation in CORRELATIONS:
        of_models: dict[str, list[float]] = {name: [] for name in MODELS}
        for seed in range(n_seeds):
            config = MMoESyntheticConfig(n_rows=n_steps * BATCH, correlation=correlation, seed=seed)
            data = simulate_mmoe_synthetic(config)
            x, y = torch.from_numpy(data.x).float(), torch.from_numpy(data.y).float()
            for name, values in of_models.items():
                values.append(final_loss(name, x, y, seed))
        found[correlation] = of_models
        means = {name: round(float(np.mean(values)), 4) for name, values in of_models.items()}
        print(f"correlation {correlation:4.1f}: {means}", flush=True)
    return found


def paired(found: dict[float, dict[str, list[float]]]) -> list[str]:
    """Return the paired differences with 95 % intervals."""
    lines = []
    for better, other in PAIRS:
        for correlation, values in found.items():
            gap = np.subtract(values[better], values[other])
            error = stats.sem(gap) * stats.t.ppf(0.975, len(gap) - 1) if len(gap) > 1 else np.nan
            lines.append(
                f"{better} - {other} at {correlation:4.1f}: {gap.mean():+.4f} +- {error:.4f}"
            )
    return lines


def draw(found: dict[float, dict[str, list[float]]], path: Path) -> None:
    """Draw means and standard errors against the correlation."""
    import altair as alt
    import polars as pl

    rows = [
        {"correlation": correlation, "model": name, "loss": value}
        for correlation, values in found.items()
        for name, losses in values.items()
        for value in losses
    ]
    base = alt.Chart(pl.DataFrame(rows)).encode(
        x=alt.X("correlation:Q", title="cosine of the tasks' weights"),
        color=alt.Color("model:N", sort=list(MODELS), title=None),
    )
    y = alt.Y("mean(loss):Q", title="squared error per task (noise floor 0.01)")
    line = base.mark_line(point=True).encode(y=y)
    band = base.mark_errorband(extent="stderr").encode(y=alt.Y("loss:Q", title=""))
    path.parent.mkdir(parents=True, exist_ok=True)
    (band + line).properties(width=420, height=260).save(str(path))


def main() -> None:
    """Print losses and paired differences, and draw them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    found = study(given.seeds, given.steps)
    print("\n".join(paired(found)))
    if given.json:
        given.json.write_text(json.dumps(found))
    if given.plot:
        draw(found, given.plot)


if __name__ == "__main__":
    main()

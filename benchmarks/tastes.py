"""Users whose tastes differ: weights per row (PAPERec) against one weighting for everybody.

    python benchmarks/tastes.py --seeds 5 [--json FILE]

Two groups of users, two binary tasks, and a shared representation one number wide, which cannot
serve both tasks. `differ`: a group answers its own task clearly and flips every third answer of
the other one; which is which depends on the group. `agree`: all users answer both tasks alike.
PAPERec is not told the groups; it sees the inputs, which hold them. The static weighting is the
best of a grid on validation rows, by the loss of the groups' own tasks (`agree`: of both tasks).
Losses are of fresh rows; lower is better. Differences to the best static weighting are paired by
seed, with 95 % intervals of Student's t.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from scipy import stats
from torch import Tensor, nn

from paretorank.balancing import PAPERec, PAPERecConfig, SeenRows
from paretorank.balancing.min_norm import min_norm_weights

N_TRAIN, N_TEST, BATCH, WIDTH = 8192, 8192, 256, 8
GRID = (0.2, 0.5, 0.8)
METHODS = ("min_norm", "paperec", "paperec_row", "paperec_ddpg")
SETTINGS = {
    "paperec": PAPERecConfig(),
    "paperec_row": PAPERecConfig(gradients="row"),
    "paperec_ddpg": PAPERecConfig(solver="ddpg", gamma=0.0),
}
RANDOM_ANSWERS = {"differ": (0.05, 0.35), "agree": (0.15, 0.15)}  # in the own and the other task


class Users:
    """Draws rows; the directions of the labels are those of the seed."""

    def __init__(self, scenario: str, seed: int) -> None:
        self.scenario, self.rng = scenario, np.random.default_rng(seed)
        draw = self.rng.normal(size=(2, WIDTH, 2))
        self.directions = np.stack([np.linalg.qr(each)[0] for each in draw])
        if scenario == "agree":
            self.directions[1] = self.directions[0]

    def rows(self, n: int) -> tuple[Tensor, Tensor, np.ndarray]:
        """Return inputs [n, 1 + WIDTH], labels [n, 2] and groups."""
        group = self.rng.integers(2, size=n)
        taste = self.rng.normal(size=(n, WIDTH))
        logits = 3 * np.einsum("nd,ndt->nt", taste, self.directions[group])
        labels = self.rng.random((n, 2)) < 1 / (1 + np.exp(-logits))
        own = np.arange(2) == group[:, None]
        own_rate, other_rate = RANDOM_ANSWERS[self.scenario]
        flipped = self.rng.random((n, 2)) < np.where(own, own_rate, other_rate)
        x = np.concatenate([2.0 * group[:, None] - 1, taste], axis=1)
        return torch.tensor(x).float(), torch.tensor(labels ^ flipped).float(), group


class Network(nn.Module):
    """A trunk that ends in one number, and a tower for each task."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(1 + WIDTH, 32), nn.ReLU(), nn.Linear(32, 1))
        self.towers = nn.ModuleList(
            nn.Sequential(nn.Linear(1, 16), nn.ReLU(), nn.Linear(16, 1)) for _ in range(2)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the representation and the logits."""
        h = self.trunk(x)
        return h, torch.cat([tower(h) for tower in self.towers], dim=1)


def weigh(method: str, x: Tensor, h: Tensor, losses: Tensor, policy: PAPERec | None) -> Tensor:
    """Return weights [B, 2] or [2] that sum to 2; PAPERec leaves its own gradient."""
    if method.startswith("static"):
        share = float(method.split()[1])
        return torch.tensor([2 * share, 2 - 2 * share])
    grads = [torch.autograd.grad(each.sum(), h, retain_graph=True)[0] for each in losses.T]
    jacobian = torch.stack(grads, dim=1)
    if policy is None:
        flat = jacobian.transpose(0, 1).flatten(1)
        return 2 * min_norm_weights(flat @ flat.T).float()
    observed = torch.ones_like(losses, dtype=torch.bool)
    gramians = jacobian @ jacobian.mT
    found = policy(SeenRows(x, gramians, losses.detach(), observed, torch.arange(len(x))))
    found.own_loss.backward()
    return found.weights


def run(scenario: str, method: str, seed: int, epochs: int) -> dict[str, float]:
    """Train once; return the losses of validation and test rows, and the weights by group."""
    users = Users(scenario, seed)
    x, labels, _ = users.rows(N_TRAIN)
    torch.manual_seed(seed)
    network, policy = Network(), None
    groups = [{"params": list(network.parameters()), "lr": 5e-3}]
    if method in SETTINGS:
        generator = torch.Generator().manual_seed(seed)
        build = SETTINGS[method].build
        policy = build(task_names=("a", "b"), balance_factors=torch.ones(2), generator=generator)
        policy.begin(x.shape[1])
        groups.append({"params": list(policy.parameters()), "lr": 1e-2})
    optimizer = torch.optim.Adam(groups)
    for part in [p for _ in range(epochs) for p in torch.randperm(N_TRAIN).split(BATCH)]:
        optimizer.zero_grad()
        h, logits = network(x[part])
        losses = F.binary_cross_entropy_with_logits(logits, labels[part], reduction="none")
        weights = weigh(method, x[part], h, losses, policy)
        (losses * weights).mean(dim=0).sum().backward()
        optimizer.step()
    found = {}
    for split in ("valid", "test"):
        fresh, answers, group = users.rows(N_TEST)
        with torch.no_grad():
            logits = network(fresh)[1]
        loss = F.binary_cross_entropy_with_logits(logits, answers, reduction="none").numpy()
        rows = np.arange(N_TEST)
        found[f"{split} own"] = float(loss[rows, group].mean())
        found[f"{split} other"] = float(loss[rows, 1 - group].mean())
        found[f"{split} mean"] = float(loss.mean())
        for at in range(2):
            found[f"{split} group {at}"] = float(loss[group == at].mean())
    if policy is not None:
        shares = policy.weights_of(fresh).numpy()
        for at in range(2):
            found[f"weight of its own task, group {at}"] = float(shares[group == at, at].mean())
    return found


def interval(values: list[float]) -> tuple[float, float, float]:
    """Return the mean and the ends of its 95 % interval."""
    mean, error = float(np.mean(values)), float(stats.sem(values))
    half = float(stats.t.ppf(0.975, len(values) - 1)) * error
    return mean, mean - half, mean + half


def compare(scenario: str, seeds: int, epochs: int) -> dict[str, dict[str, list[float]]]:
    """Return the results of every method, one entry per seed."""
    measure = "own" if scenario == "differ" else "mean"
    results: dict[str, dict[str, list[float]]] = {}
    for seed in range(seeds):
        static = [run(scenario, f"static {share}", seed, epochs) for share in GRID]
        found = {"static 0.5": static[GRID.index(0.5)]}
        found["best static"] = min(static, key=lambda each: each[f"valid {measure}"])
        found |= {method: run(scenario, method, seed, epochs) for method in METHODS}
        for method, facts in found.items():
            for name, value in facts.items():
                results.setdefault(method, {}).setdefault(name, []).append(value)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    everything = {}
    for scenario in RANDOM_ANSWERS:
        results = everything[scenario] = compare(scenario, options.seeds, options.epochs)
        print(f"{scenario}: test losses, and differences to the best static weighting")
        best = results["best static"]
        for method, facts in results.items():
            line = f"  {method:13}"
            for name in ("test own", "test other", "test mean", "test group 0", "test group 1"):
                pairs = zip(facts[name], best[name], strict=True)
                mean, low, high = interval([one - two for one, two in pairs])
                line += f" {name[5:]} {np.mean(facts[name]):.4f}"
                line += f" ({mean:+.4f} [{low:+.4f}, {high:+.4f}])"
            shares = [np.mean(v) for k, v in facts.items() if k.startswith("weight")]
            print(line + (f" own task's weight {shares[0]:.2f} {shares[1]:.2f}" if shares else ""))
    if options.json is not None:
        options.json.write_text(json.dumps(everything, indent=1) + "\n")


if __name__ == "__main__":
    main()

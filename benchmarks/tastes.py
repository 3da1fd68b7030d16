"""Users whose tastes differ: weights per row (PAPERec) against one weighting for everybody.

    python benchmarks/tastes.py --seeds 10 [--json FILE]

Two groups of users answer two tasks; what they like depends on the group. In a group the expected
answers of the tasks correlate by a half, and the shared representation is one number wide: it is a
compromise between the tasks, and weights say which. A group's own task is the one it is judged by:

    differ   answers to the own task are clear, those to the other one noisy
    hidden   both are equally clear, so that no gradient tells which one is the own task
    opposed  the own task is the noisy one
    agree    one taste for all users, both tasks equally clear; judged by the mean of both

PAPERec is not told the groups; it sees the inputs, which hold them. `global` is the best of a grid
of weightings for everybody, on validation rows; `per group` is the best of a grid of one weighting
for each group: the most that weights per row may win. Losses are squared distances from the
expected answer on fresh rows; lower is better. Differences to `global` are paired by seed, with
95 % intervals of Student's t.

What theory says: the shortest mix of single rows' gradients weighs tasks by the inverse variances
of their answers. So PAPERec wins in `differ`, loses in `opposed`, and in `hidden` and `agree` only
the noise of its weights may cost something. Towers are linear: one that bends may lie flat where
the representation does not serve its task, and short gradients then are no sign of clear answers.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn

from paretorank.balancing import PAPERec, PAPERecConfig, SeenRows
from paretorank.balancing.min_norm import min_norm_weights

N_TRAIN, N_TEST, BATCH, WIDTH, HIDDEN = 8192, 8192, 256, 8, 32
CORRELATION = 0.5
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of task a in the grids
GRID = tuple(product(SHARES, SHARES))  # in the first group and in the second one
NOISE = {  # standard deviations of answers to the own and to the other task; those expected have 1
    "differ": (0.5, 2.0),
    "hidden": (1.0, 1.0),
    "opposed": (2.0, 0.5),
    "agree": (1.0, 1.0),
}
POLICIES = {
    "paperec": PAPERecConfig(),
    "paperec bounds": PAPERecConfig(bounds={"a": 0.2, "b": 0.2}),
    "paperec ddpg": PAPERecConfig(solver="ddpg", gamma=0.0),
}
MIN_NORMS = ("min-norm", "min-norm per group")
REPORTED = ("own", "other", "mean")


@dataclass(frozen=True)
class Answers:
    """Some rows and how they were answered."""

    x: Tensor
    """The group as -1 or 1, then what the user sees."""
    expected: Tensor
    given: Tensor
    group: Tensor


class Users:
    """Draws rows; the directions of the tastes are those of the seed."""

    def __init__(self, scenario: str, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        pairs = [np.linalg.qr(each)[0] for each in self.rng.normal(size=(2, WIDTH, 2))]
        mixed = np.array([[1, CORRELATION], [0, np.sqrt(1 - CORRELATION**2)]])
        self.directions = np.stack([pair @ mixed for pair in pairs])
        if scenario == "agree":
            self.directions[1] = self.directions[0]
        self.noise = np.array(NOISE[scenario])

    def rows(self, n: int) -> Answers:
        """Return so many fresh rows."""
        group = self.rng.integers(2, size=n)
        seen = self.rng.normal(size=(n, WIDTH))
        expected = np.einsum("nd,ndt->nt", seen, self.directions[group])
        is_other = (np.arange(2) != group[:, None]).astype(int)
        given = expected + self.noise[is_other] * self.rng.normal(size=(n, 2))
        x = np.concatenate([2.0 * group[:, None] - 1, seen], axis=1)
        tensors = [torch.tensor(each).float() for each in (x, expected, given)]
        return Answers(*tensors, torch.tensor(group))


class Networks(nn.Module):
    """Copies of one network: a trunk that ends in few numbers, and a linear tower for each task."""

    def __init__(self, n_copies: int, shared_dim: int, generator: torch.Generator) -> None:
        super().__init__()
        first = torch.randn(1 + WIDTH, HIDDEN, generator=generator) / (1 + WIDTH) ** 0.5
        last = torch.randn(HIDDEN, shared_dim, generator=generator) / HIDDEN**0.5
        start = [first, torch.zeros(1, HIDDEN), last, torch.zeros(1, shared_dim)]
        start += [torch.ones(shared_dim, 2), torch.zeros(1, 2)]
        copies = [each.repeat(n_copies, 1, 1) for each in start]
        self.weights = nn.ParameterList(copies)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the representations [R, B, H] and what towers make of them [R, B, 2]."""
        first, first_bias, last, last_bias, slope, bias = self.weights
        h = (x @ first + first_bias).relu() @ last + last_bias
        return h, h @ slope + bias


class Weighings:
    """How each copy weighs the rows of a step; copies with a policy come last."""

    def __init__(self, width: int, seed: int) -> None:
        self.policies: list[PAPERec] = []
        for config in POLICIES.values():
            generator = torch.Generator().manual_seed(seed)
            factors = torch.ones(2)
            policy = config.build(
                task_names=("a", "b"), balance_factors=factors, generator=generator
            )
            policy.begin(width)
            self.policies.append(policy)
        shares = torch.tensor(GRID)
        self.grid = torch.stack([shares, 1 - shares], dim=2)
        self.n_copies = len(GRID) + len(MIN_NORMS) + len(POLICIES)

    def parameters(self) -> list[nn.Parameter]:
        """Return what the policies learn."""
        return [parameter for policy in self.policies for parameter in policy.parameters()]

    def __call__(self, x: Tensor, group: Tensor, gramians: Tensor) -> Tensor:
        """Return weights [R, B, 2] that sum to 2; policies leave their own gradients."""
        everyone, per_group, *learned = gramians[len(GRID) :]
        found = [*(2 * self.grid[:, group])]
        found.append(2 * min_norm_weights(everyone.sum(dim=0)).float().expand(len(x), -1))
        totals = torch.stack([per_group[group == at].sum(dim=0) for at in range(2)])
        found.append(2 * min_norm_weights(totals).float()[group])
        observed = torch.ones(len(x), 2, dtype=torch.bool)
        for policy, own in zip(self.policies, learned, strict=True):
            weighed = policy(SeenRows(x, own, own.diagonal(dim1=1, dim2=2), observed, group))
            weighed.own_loss.backward()
            found.append(weighed.weights)
        return torch.stack(found)


def run(scenario: str, seed: int, epochs: int, shared_dim: int) -> dict[str, dict[str, float]]:
    """Train all copies side by side on the same rows; return what each method came to."""
    users = Users(scenario, seed)
    rows = users.rows(N_TRAIN)
    generator = torch.Generator().manual_seed(seed)
    weigh = Weighings(rows.x.shape[1], seed)
    networks = Networks(weigh.n_copies, shared_dim, generator)
    groups = [{"params": list(networks.parameters()), "lr": 5e-3}]
    groups.append({"params": weigh.parameters(), "lr": 1e-2})
    optimizer = torch.optim.Adam(groups)
    for _ in range(epochs):
        for part in torch.randperm(N_TRAIN, generator=generator).split(BATCH):
            optimizer.zero_grad()
            h, found = networks(rows.x[part])
            losses = (found - rows.given[part]).square()
            jacobian = [
                torch.autograd.grad(losses[..., task].sum(), h, retain_graph=True)[0]
                for task in range(2)
            ]
            gradients = torch.stack(jacobian, dim=2)
            weights = weigh(rows.x[part], rows.group[part], gradients @ gradients.mT)
            (losses * weights).mean(dim=1).sum().backward()
            optimizer.step()
    return _judge(scenario, networks, weigh, [users.rows(N_TEST) for _ in range(2)])


@torch.no_grad()
def _judge(
    scenario: str, networks: Networks, weigh: Weighings, splits: Sequence[Answers]
) -> dict[str, dict[str, float]]:
    measure = "mean" if scenario == "agree" else "own"
    valid, test = [_losses(networks, split) for split in splits]
    diagonal = [at for at, (one, two) in enumerate(GRID) if one == two]
    best = {
        "equal": GRID.index((0.5, 0.5)),
        "global": min(diagonal, key=lambda at: float(valid[measure][at])),
        "per group": int(valid[measure][: len(GRID)].argmin()),
    }
    rest = {name: len(GRID) + at for at, name in enumerate([*MIN_NORMS, *POLICIES])}
    places = best | rest
    results = {
        name: {key: float(values[at]) for key, values in test.items()}
        for name, at in places.items()
    }
    for name in ("global", "per group"):
        shares = GRID[best[name]]
        results[name] |= {"share 0": shares[0], "share 1": 1 - shares[1]}
    x, group = splits[1].x, splits[1].group
    for name, policy in zip(POLICIES, weigh.policies, strict=True):
        shares = policy.weights_of(x)
        for at in range(2):
            results[name][f"share {at}"] = float(shares[group == at, at].mean())
            results[name][f"std {at}"] = float(shares[group == at, at].std())
    return results


def _losses(networks: Networks, rows: Answers) -> dict[str, Tensor]:
    """Return losses per copy."""
    error = (networks(rows.x)[1] - rows.expected).square()
    at = torch.arange(len(rows.x))
    own, other = error[:, at, rows.group], error[:, at, 1 - rows.group]
    return {"own": own.mean(dim=1), "other": other.mean(dim=1), "mean": error.mean(dim=(1, 2))}


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean and the ends of its 95 % interval."""
    mean, error = float(np.mean(values)), float(stats.sem(values))
    half = float(stats.t.ppf(0.975, len(values) - 1)) * error
    return mean, mean - half, mean + half


def report(scenario: str, runs: Sequence[Mapping[str, Mapping[str, float]]]) -> None:
    """Print a table: losses, differences to the best global weighting, shares of the own task."""
    print(f"{scenario}: losses, differences to `global`, shares of the own task per group")
    for method in runs[0]:
        line = f"  {method:18}"
        for name in REPORTED:
            values = [each[method][name] for each in runs]
            gains = [each[method][name] - each["global"][name] for each in runs]
            mean, low, high = interval(gains)
            line += f" {name} {np.mean(values):.4f} ({mean:+.4f} [{low:+.4f}, {high:+.4f}])"
        if "share 0" in runs[0][method]:
            shares = [np.mean([each[method][f"share {at}"] for each in runs]) for at in range(2)]
            line += f" share {shares[0]:.2f} {shares[1]:.2f}"
        print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--shared-dim", type=int, default=1, help="width of the representation")
    parser.add_argument("--scenarios", nargs="+", choices=list(NOISE), default=list(NOISE))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    everything = {}
    for scenario in options.scenarios:
        seeds = range(options.first_seed, options.first_seed + options.seeds)
        everything[scenario] = [
            run(scenario, seed, options.epochs, options.shared_dim) for seed in seeds
        ]
        report(scenario, everything[scenario])
    if options.json is not None:
        options.json.write_text(json.dumps(everything, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Where balancers end on fronts that are known in closed form.

    python benchmarks/fronts.py --seeds 5 [--json FILE]

`segment`: L1 = |x - a|^2 / 2, L2 = |x - b|^2 / 2 with a = (0, 0), b = (1, 0), whose Pareto set is
the segment between them. With bounds c, PE-LTR stands still at a + s (b - a) for s from c2 to
1 - c1, and ends at the end of that interval that is nearest to where it came from. EPO with
preference r shall end where r1 L1 = r2 L2. `ellipses`: three quadratics in four dimensions with
axes of their own; Pareto stationary is where a mix of the gradients is 0, measured exactly. Starts
and centres are drawn by seed. Balancers are shown the gradients themselves, as in training. A kind
that this version does not have is left out.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter
from scipy import stats
from torch import Tensor

from paretorank.balancing import BalancerConfig, SeenGradients
from paretorank.balancing.min_norm import min_norm_weights

STEPS, RATE = 400, 0.1
BOUNDS = ((0.0, 0.0), (0.0, 0.3), (0.4, 0.0), (0.3, 0.3), (0.25, 0.75))
PREFERENCES = ((0.5, 0.5), (0.2, 0.8), (0.7, 0.3))
NAMES = ("a", "b", "c")

Problem = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Losses [T] and their gradients [T, N] at a point [N]."""


def build(settings: dict[str, Any], n_tasks: int) -> Any:
    """Return a balancer of gradients, or None if there is no such kind."""
    kinds: TypeAdapter[Any] = TypeAdapter(BalancerConfig)
    known = {
        each["properties"]["kind"]["const"]
        for each in kinds.json_schema()["$defs"].values()
        if "kind" in each.get("properties", {})
    }
    if settings["kind"] not in known:
        return None
    return (
        kinds.validate_python(settings)
        .build(
            task_names=NAMES[:n_tasks],
            balance_factors=torch.ones(n_tasks),
            generator=torch.Generator().manual_seed(0),
        )
        .double()
    )


def descend(balancer: Any, problem: Problem, start: Tensor) -> tuple[Tensor, Tensor]:
    """Return where it ends, and the least weight of each task on the way."""
    x, least = start.clone(), torch.full((len(NAMES),), torch.inf).double()
    for _ in range(STEPS):
        losses, jacobian = problem(x)
        tasks = torch.arange(len(losses))
        weights = balancer(SeenGradients(jacobian @ jacobian.T, losses, tasks))
        least[tasks] = torch.minimum(least[tasks], weights)
        x = x - RATE * weights @ jacobian
    return x, least


def segment(x: Tensor) -> tuple[Tensor, Tensor]:
    centres = torch.tensor([[0.0, 0.0], [1.0, 0.0]]).double()
    gradients = x - centres
    return gradients.square().sum(dim=1) / 2, gradients


def ellipses(seed: int) -> tuple[Problem, Tensor]:
    """Return a problem and a start."""
    rng = np.random.default_rng(seed)
    axes = [np.linalg.qr(rng.normal(size=(4, 4)))[0] for _ in NAMES]
    forms = torch.tensor(np.stack([a @ np.diag(rng.uniform(0.5, 2, 4)) @ a.T for a in axes]))
    centres = torch.tensor(rng.normal(size=(3, 4)))

    def problem(x: Tensor) -> tuple[Tensor, Tensor]:
        apart = x - centres
        gradients = torch.einsum("tij,tj->ti", forms, apart)
        return (apart * gradients).sum(dim=1) / 2, gradients

    return problem, torch.tensor(3 * rng.normal(size=4))


def left_over(problem: Problem, x: Tensor) -> float:
    """Return the length of the shortest mix of the gradients; 0 where Pareto stationary."""
    jacobian = problem(x)[1]
    return float((min_norm_weights(jacobian @ jacobian.T) @ jacobian).norm())


def pe_ltr_miss(bounds: tuple[float, float], seed: int) -> tuple[float, float]:
    """Return the distance from the point that is predicted, and by how much a bound was missed."""
    balancer = build({"kind": "pe_ltr", "bounds": dict(zip(NAMES, bounds, strict=False))}, 2)
    start = torch.tensor(np.random.default_rng(seed).uniform((-2, -1), (3, 1)))
    x, least = descend(balancer, segment, start)
    # Across the segment, all weights shrink alike: what counts is where the start is along it.
    expected = float(start[0].clamp(bounds[1], 1 - bounds[0]))
    miss = float((x - torch.tensor([expected, 0.0]).double()).norm())
    return miss, max(0.0, *(torch.tensor(bounds).double() - least[:2]).tolist())


def epo_degrees(preference: tuple[float, float], seed: int) -> float:
    """Return the angle between the losses and those that the preference asks for."""
    settings = {"kind": "epo", "preference": dict(zip(NAMES, preference, strict=False))}
    start = torch.tensor(np.random.default_rng(seed).uniform((-1, -1), (2, 1)))
    losses = segment(descend(build(settings, 2), segment, start)[0])[0]
    wanted = 1 / torch.tensor(preference).double()
    cosine = (losses @ wanted) / (losses.norm() * wanted.norm())
    return float(torch.rad2deg(torch.arccos(cosine.clamp(max=1.0))))


def summary(values: list[float]) -> str:
    """Return the mean with its 95 % interval, and the largest."""
    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    return f"{np.mean(values):.2e} +- {half:.1e}, largest {max(values):.2e}"


class Report(dict[str, list[float]]):
    """Prints what it is given."""

    def __setitem__(self, name: str, values: list[float]) -> None:
        super().__setitem__(name, values)
        print(f"{name:48} {summary(values)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    seeds, found = range(options.seeds), Report()
    for kind in ("mgda", "pe_ltr", "upgrad"):
        if build({"kind": kind}, 3) is None:
            print(f"{kind}: not in this version")
            continue
        found[f"{kind}: gradient left, ellipses"] = [
            left_over(problem, descend(build({"kind": kind}, 3), problem, start)[0])
            for problem, start in (ellipses(seed) for seed in seeds)
        ]
    if build({"kind": "pe_ltr"}, 2) is not None:
        for bounds in BOUNDS:
            pairs = [pe_ltr_miss(bounds, seed) for seed in seeds]
            found[f"pe_ltr {bounds}: distance from the end"] = [miss for miss, _ in pairs]
            found[f"pe_ltr {bounds}: below a bound by"] = [below for _, below in pairs]
    if build({"kind": "epo"}, 2) is not None:
        for preference in PREFERENCES:
            degrees = [epo_degrees(preference, seed) for seed in seeds]
            found[f"epo {preference}: degrees from the preference"] = degrees
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

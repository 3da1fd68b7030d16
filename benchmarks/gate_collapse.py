"""Gates collapse in plain MMoE, and what prevents it.

    python benchmarks/gate_collapse.py --seeds 3

Two regression tasks whose labels are sums of sines of directions with cosine 0.5 (the generator of
the MMoE paper), on inputs with a mean of 1, so that gates can grow a bias as with real features,
trained with a high learning rate. The table shows the mean over seeds: dead experts (used by
no task), the share of rows on which a gate rests on one expert, the mean entropy of the gates, and
the loss on fresh rows.
"""

import argparse
import statistics
from typing import Any

import torch
from torch import Tensor

from paretorank.architectures import MMoEConfig, gate_health, gate_warnings
from paretorank.architectures.gates_config import GatesConfig
from paretorank.blocks import TowerBank, reseed_dropout

N_ROWS, IN_DIM, N_EXPERTS, TASKS = 256, 20, 8, ("first", "second")
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "load_balance 0.01": {"load_balance": 0.01},
    "load_balance 0.1": {"load_balance": 0.1},
    "entropy 0.1": {"entropy": 0.1},
    "load_balance 0.1, entropy 0.1": {"load_balance": 0.1, "entropy": 0.1},
    "temperature 2": {"temperature": 2.0},
    "dropout_rate 0.2": {"dropout_rate": 0.2},
    "expert_dropout_rate 0.2": {"expert_dropout_rate": 0.2},
}


def batch(generator: torch.Generator, directions: Tensor) -> tuple[Tensor, Tensor]:
    x = torch.randn(N_ROWS, IN_DIM, generator=generator) + 1
    along = x @ directions
    labels = along + torch.sin(2 * along + 0.5) + torch.sin(4 * along - 0.7)
    return x, labels + 0.1 * torch.randn(labels.shape, generator=generator)


def run(settings: dict[str, Any], seed: int, steps: int, rate: float) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(seed)
    basis = torch.linalg.qr(torch.randn(IN_DIM, 2, generator=generator)).Q
    directions = torch.stack([basis[:, 0], 0.5 * basis[:, 0] + 0.75**0.5 * basis[:, 1]], dim=1)
    config = MMoEConfig(n_experts=N_EXPERTS, expert_dims=(16,), gates=GatesConfig(**settings))
    model = config.build(in_dim=IN_DIM, n_tasks=2, generator=generator)
    towers = TowerBank(16, (8,), 2, generator=generator)
    parameters = [*model.parameters(), *towers.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=rate)
    for step in range(steps):
        x, labels = batch(generator, directions)
        reseed_dropout(model, step)
        loss = (towers(model(x)) - labels).square().mean(dim=0).sum()
        auxiliary = model.auxiliary_loss()
        optimizer.zero_grad()
        (loss if auxiliary is None else loss + auxiliary).backward()
        optimizer.step()
    model.eval()
    fresh = [batch(generator, directions) for _ in range(20)]
    with torch.no_grad():
        losses = [float((towers(model(x)) - y).square().mean()) for x, y in fresh]
        weights = torch.cat([model.gate_weights(x) for x, _ in fresh]).numpy()
    health = gate_health(weights, TASKS)
    return {
        "dead": len(set.intersection(*(set(gate.dead) for gate in health))),
        "polarised": statistics.mean(gate.polarised_rate for gate in health),
        "entropy": statistics.mean(gate.entropy for gate in health),
        "loss": statistics.mean(losses),
        "warnings": gate_warnings(health, model.gate_remedies),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=0.02)
    options = parser.parse_args()
    for name, settings in SETTINGS.items():
        runs = [run(settings, s, options.steps, options.rate) for s in range(options.seeds)]
        facts = {
            key: statistics.mean(found[key] for found in runs)
            for key in ("dead", "polarised", "entropy", "loss")
        }
        n_warned = sum(bool(found["warnings"]) for found in runs)
        print(
            f"{name:30} dead {facts['dead']:4.1f} of {N_EXPERTS}  polarised "
            f"{facts['polarised']:4.0%}  entropy {facts['entropy']:.2f}  loss {facts['loss']:.3f}  "
            f"warned in {n_warned} of {len(runs)} runs"
        )


if __name__ == "__main__":
    main()

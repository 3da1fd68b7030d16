"""Cost of a forward and backward pass of each architecture, per multiply-add of its experts.

    OMP_NUM_THREADS=1 python benchmarks/architectures.py --rounds 9

Architectures take turns, so that a busy machine is unfair to all alike; the medians are compared
as ratios to MMoE.
"""

import argparse
import statistics
import time
from typing import Any

import torch

from paretorank.architectures import (
    AdaTTConfig,
    Architecture,
    AttentionMMoEConfig,
    CGCConfig,
    CrossStitchConfig,
    DSelectKConfig,
    HoMEConfig,
    MMoEConfig,
    OMoEConfig,
    PEPNetConfig,
    PLEConfig,
    SharedBottomConfig,
    STEMConfig,
)
from paretorank.blocks import Extras

N_ROWS, IN_DIM, DIMS, N_TASKS = 2048, 376, (256, 128), 2
PRIOR_DIMS = (16, 16)
SETTINGS: dict[str, Any] = {
    "mmoe, 8 experts": MMoEConfig(n_experts=8, expert_dims=DIMS),
    "omoe, 8 experts": OMoEConfig(n_experts=8, expert_dims=DIMS),
    "shared_bottom": SharedBottomConfig(hidden_dims=DIMS),
    "cross_stitch": CrossStitchConfig(hidden_dims=DIMS),
    "dselect_k, 2 of 8 experts": DSelectKConfig(n_experts=8, expert_dims=DIMS),
    "attention_mmoe, 8 experts": AttentionMMoEConfig(n_experts=8, expert_dims=DIMS),
    "cgc, 2 shared + 2 x 2 own": CGCConfig(expert_dims=DIMS),
    "ple, 1 level": PLEConfig(n_levels=1, expert_dims=DIMS),
    "ple, 2 levels": PLEConfig(n_levels=2, expert_dims=DIMS),
    "ple, 3 levels": PLEConfig(n_levels=3, expert_dims=DIMS),
    "adatt, 2 levels": AdaTTConfig(n_levels=2, expert_dims=DIMS),
    "home": HoMEConfig(expert_dims=DIMS),
    "stem, 2 shared + 2 x 2 own": STEMConfig(expert_dims=DIMS),
    "pepnet": PEPNetConfig(prior=("user", "item"), hidden_dims=DIMS),
}


def multiply_adds(model: Architecture) -> int:
    """Return the multiply-adds of one row: one for each entry of a weight matrix."""
    return sum(p.numel() for name, p in model.named_parameters() if "bias" not in name)


def build(config: Any, generator: torch.Generator) -> Architecture:
    prior = {"prior_dims": PRIOR_DIMS} if config.needs.prior else {}
    model: Architecture = config.build(in_dim=IN_DIM, n_tasks=N_TASKS, generator=generator, **prior)
    return model


def one_pass(model: Architecture, x: torch.Tensor, extras: Extras) -> float:
    started = time.perf_counter()
    h = model(x, extras)
    h.backward(torch.ones_like(h))
    seconds = time.perf_counter() - started
    model.zero_grad()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(N_ROWS, IN_DIM, generator=generator)
    x.requires_grad_()  # as in training: the embeddings below want a gradient
    extras = Extras(
        torch.randn(N_TASKS, N_ROWS, IN_DIM, generator=generator).requires_grad_(),
        torch.randn(N_ROWS, sum(PRIOR_DIMS), generator=generator).requires_grad_(),
    )
    models = {name: build(config, generator) for name, config in SETTINGS.items()}
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for turn in range(rounds + 1):
        for name, model in models.items():
            spent = one_pass(model, x, extras)
            if turn:  # the first round warms up
                seconds[name].append(spent)
    base = next(iter(models))
    per_unit = {
        name: statistics.median(values) / multiply_adds(models[name])
        for name, values in seconds.items()
    }
    for name, model in models.items():
        print(
            f"{name:28} {statistics.median(seconds[name]) * 1e3:7.1f} ms  "
            f"{multiply_adds(model) / 1e6:5.2f} M multiply-adds a row  "
            f"{per_unit[name] / per_unit[base]:.2f} x the cost of one in {base!r}"
        )


if __name__ == "__main__":
    main()

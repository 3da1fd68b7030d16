"""Shared-Bottom, and what settings architectures refuse."""

from typing import get_args

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from paretorank.architectures import Architecture, ArchitectureConfig, SharedBottomConfig

KINDS = [
    kind
    for member in get_args(get_args(ArchitectureConfig)[0])
    if (kind := str(member.model_fields["kind"].default)) != "pepnet"  # which wants a prior
]


def build(kind: str, *, n_tasks: int = 2, seed: int = 0) -> Architecture:
    adapter: TypeAdapter[ArchitectureConfig] = TypeAdapter(ArchitectureConfig)
    config = adapter.validate_json(f'{{"kind": "{kind}"}}')
    generator = torch.Generator().manual_seed(seed)
    return config.build(in_dim=6, n_tasks=n_tasks, generator=generator)


def test_every_task_reads_the_same_representation() -> None:
    h = build("shared_bottom")(torch.ones(3, 6))
    assert torch.equal(h[:, 0], h[:, 1])


def test_the_gradient_of_the_shared_part_is_the_sum_over_the_tasks() -> None:
    config = SharedBottomConfig(hidden_dims=(4,), activation="silu")
    model = config.build(in_dim=6, n_tasks=2, generator=torch.Generator().manual_seed(0))
    x = torch.randn(5, 6, generator=torch.Generator().manual_seed(1))
    weight = model.bottom.layers[0].weight
    losses = [model(x)[:, 0].sum(), model(x)[:, 1].square().sum()]
    each = [torch.autograd.grad(loss, weight)[0] for loss in losses]
    h = model(x)
    (both,) = torch.autograd.grad(0.3 * h[:, 0].sum() + 2 * h[:, 1].square().sum(), weight)
    torch.testing.assert_close(both, 0.3 * each[0] + 2 * each[1])


@pytest.mark.parametrize("kind", KINDS)
def test_the_defaults_end_in_128_units(kind: str) -> None:
    assert build(kind).out_dim == 128


@pytest.mark.parametrize(
    "text",
    [
        '{"kind": "mmoe", "n_experts": 0}',
        '{"kind": "mmoe", "expert_dims": []}',
        '{"kind": "mmoe", "dropout_rate": 1.0}',
        '{"kind": "mmoe", "hidden_dims": [8]}',
        '{"kind": "mmoo"}',
        '{"kind": "mmoe", "gates": {"temperature": 0.0}}',
        '{"kind": "mmoe", "gates": {"load_balance": -0.1}}',
        '{"kind": "cgc", "n_task_experts": 0, "n_shared_experts": 0}',
        '{"kind": "ple", "n_levels": 0}',
    ],
)
def test_impossible_settings_are_refused(text: str) -> None:
    adapter: TypeAdapter[ArchitectureConfig] = TypeAdapter(ArchitectureConfig)
    with pytest.raises(ValidationError):
        adapter.validate_json(text)

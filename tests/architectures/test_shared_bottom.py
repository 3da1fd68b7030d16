"""Shared-Bottom, and what all architectures promise."""

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from paretorank.architectures import Architecture, ArchitectureConfig, SharedBottomConfig

KINDS = ["shared_bottom", "omoe", "mmoe", "attention_mmoe"]


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
@pytest.mark.parametrize("n_tasks", [1, 3])
def test_a_batch_of_one_row_has_all_axes(kind: str, n_tasks: int) -> None:
    model = build(kind, n_tasks=n_tasks)
    assert model(torch.ones(1, 6)).shape == (1, n_tasks, model.out_dim)
    weights = model.gate_weights(torch.ones(1, 6))
    assert weights is None or weights.shape == (1, n_tasks, 8)


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides_all_initial_values(kind: str) -> None:
    first, same, other = build(kind), build(kind), build(kind, seed=1)
    for a, b, c in zip(first.parameters(), same.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)


@pytest.mark.parametrize("kind", KINDS)
def test_shared_parameters_are_parameters_without_repetition(kind: str) -> None:
    model = build(kind)
    shared = [id(parameter) for parameter in model.shared_parameters()]
    assert len(shared) == len(set(shared)) > 0
    assert set(shared) <= {id(parameter) for parameter in model.parameters()}


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
    ],
)
def test_impossible_settings_are_refused(text: str) -> None:
    adapter: TypeAdapter[ArchitectureConfig] = TypeAdapter(ArchitectureConfig)
    with pytest.raises(ValidationError):
        adapter.validate_json(text)

"""AdaTT, with and without shared units."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from paretorank.architectures import AdaTT, AdaTTConfig

VALUES: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "values" / "architectures.json").read_text()
)


def double(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def random_model(**settings: Any) -> AdaTT:
    config = AdaTTConfig(expert_dims=(5,), **settings)
    generator = torch.Generator().manual_seed(3)
    return config.build(in_dim=6, n_tasks=2, generator=generator).double()


def rows(n_rows: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.randn(n_rows, 6, generator=generator, dtype=torch.float64)


def test_representations_have_the_pinned_values() -> None:
    config = AdaTTConfig(n_levels=1, n_task_experts=1, expert_dims=(2,))
    model = config.build(in_dim=3, n_tasks=2, generator=torch.Generator()).double()
    pinned, own = VALUES["adatt_sp"], model.last.experts.own
    assert own is not None
    with torch.no_grad():
        own.first_weight.copy_(double(pinned["expert_W"]).mT.flatten(0, 1))
        own.first_bias.zero_()
        model.last.gates.weight.copy_(double(pinned["gate_W"]).mT.flatten(0, 1))
    found = model(double(VALUES["x"]))
    torch.testing.assert_close(found, double(pinned["task_rep"]), rtol=0.0, atol=1e-9)


def test_zero_gates_give_the_mean_of_all_experts_plus_the_own_one() -> None:
    model = random_model(n_levels=1, n_task_experts=1)
    with torch.no_grad():
        model.last.gates.weight.zero_()
    experts = model.last.experts(rows())
    expected = experts.mean(dim=1, keepdim=True) + experts
    torch.testing.assert_close(model(rows()), expected)


@pytest.mark.parametrize("n_shared_experts", [1, 2, 3])
def test_an_independent_forward_pass_in_numpy_agrees(n_shared_experts: int) -> None:
    model = random_model(n_task_experts=2, n_shared_units=1, n_shared_experts=n_shared_experts)
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    streams, sizes = [rows().numpy()] * 3, [2, 2, n_shared_experts]
    for prefix, n_units in (("lower.0.", 3), ("last.", 2)):
        experts = _experts(state, prefix, streams, sizes)
        native = [values for name, values in state.items() if name.startswith(f"{prefix}native.")]
        learned = iter(np.concatenate(native))
        gates = state[f"{prefix}gates.weight"].reshape(n_units, len(experts), -1)
        above, at = [], 0
        for unit in range(n_units):
            logits = streams[unit] @ gates[unit].T
            weights = np.exp(logits - logits.max(axis=1, keepdims=True))
            weights /= weights.sum(axis=1, keepdims=True)
            mixed = sum(weights[:, [e]] * expert for e, expert in enumerate(experts))
            for expert in range(at, at + sizes[unit]):
                mixed = mixed + (next(learned) if sizes[unit] > 1 else 1.0) * experts[expert]
            at += sizes[unit]
            above.append(mixed)
        assert next(learned, None) is None
        streams = above
    found = model(rows()).detach().numpy()
    np.testing.assert_allclose(found, np.stack(streams, axis=1), atol=1e-12)


def _experts(
    state: dict[str, np.ndarray], prefix: str, streams: list[np.ndarray], sizes: list[int]
) -> list[np.ndarray]:
    found = []
    for unit, size in enumerate(sizes):
        bank, first = ("own", 2 * unit) if unit < 2 else ("shared", 0)
        for expert in range(first, first + size):
            units = slice(expert * 5, (expert + 1) * 5)
            weight = state[f"{prefix}experts.{bank}.first_weight"][units]
            bias = state[f"{prefix}experts.{bank}.first_bias"][units]
            found.append(np.maximum(streams[unit] @ weight.T + bias, 0))
    return found


def test_a_single_native_expert_has_the_fixed_weight_one() -> None:
    assert len(random_model(n_task_experts=1, n_shared_units=1).last.native) == 0
    native = random_model(n_task_experts=3).last.native
    assert [len(weights) for weights in native] == [6]
    assert max(float(weights.detach().abs().max()) for weights in native) <= 3**-0.5


def test_weights_cover_the_experts_of_all_units_without_the_residual() -> None:
    weights = random_model(n_task_experts=2, n_shared_units=2).gate_weights(rows())
    assert weights.shape == (5, 2, 6)
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(5, 2, dtype=torch.float64))

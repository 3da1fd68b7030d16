"""PLE."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from paretorank.architectures import PLE, CGCConfig, PLEConfig

VALUES: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "values" / "architectures.json").read_text()
)
TOLERANCE = {"rtol": 0.0, "atol": 1e-9}


def double(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def pinned_ple() -> PLE:
    config = PLEConfig(n_task_experts=1, n_shared_experts=1, expert_dims=(2,))
    model = config.build(in_dim=3, n_tasks=2, generator=torch.Generator()).double()
    for level, key in zip(model.extraction_levels(), ("level1", "level2"), strict=True):
        pinned, experts = VALUES["ple"][key], level.experts
        assert experts.own is not None
        assert experts.shared is not None
        with torch.no_grad():
            experts.own.first_weight.copy_(double(pinned["task"]).flatten(0, 1).mT.flatten(0, 1))
            experts.shared.first_weight.copy_(double(pinned["shared"]).mT.flatten(0, 1))
            experts.own.first_bias.zero_()
            experts.shared.first_bias.zero_()
            level.task_gates.weight.copy_(double(pinned["gate"]).mT.flatten(0, 1))
            if level.shared_gate is not None:
                level.shared_gate.weight.copy_(double(pinned["gate_shared"]).T)
    return model


def random_ple(**settings: Any) -> PLE:
    config = PLEConfig(expert_dims=(7, 5), **settings)
    generator = torch.Generator().manual_seed(3)
    model = config.build(in_dim=6, n_tasks=2, generator=generator).double()
    with torch.no_grad():
        for level in model.extraction_levels():
            level.task_gates.weight.mul_(100)  # far from uniform
            if level.shared_gate is not None:
                level.shared_gate.weight.mul_(100)
    return model


def rows(n_rows: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.randn(n_rows, 6, generator=generator, dtype=torch.float64)


def test_representations_have_the_pinned_values() -> None:
    model, x = pinned_ple(), double(VALUES["x"])
    first = model.extraction_levels()[0]
    pinned = VALUES["ple"]
    torch.testing.assert_close(first(x)[2], double(pinned["shared_rep_level1"]), **TOLERANCE)
    torch.testing.assert_close(model(x), double(pinned["task_rep"]), **TOLERANCE)


def test_a_shared_gate_that_mixes_shared_experts_only_would_give_something_else() -> None:
    model, x = pinned_ple(), double(VALUES["x"])
    first, last = model.extraction_levels()
    streams = first(x)
    assert first.experts.shared is not None
    streams = torch.cat([streams[:2], first.experts.shared(x).transpose(0, 1)])
    assert (last(streams).transpose(0, 1) - model(x)).abs().max() > 0.01


def test_shared_experts_that_read_the_stream_of_a_task_would_give_something_else() -> None:
    model, x = pinned_ple(), double(VALUES["x"])
    first, last = model.extraction_levels()
    streams = first(x)
    streams = torch.cat([streams[:2], streams[:1]])
    assert (last(streams).transpose(0, 1) - model(x)).abs().max() > 0.01


def test_one_level_is_cgc() -> None:
    ple = random_ple(n_levels=1)
    cgc = CGCConfig(expert_dims=(7, 5)).build(in_dim=6, n_tasks=2, generator=torch.Generator())
    cgc.double().level.load_state_dict(ple.levels[0].state_dict())
    assert torch.equal(ple(rows()), cgc(rows()))
    assert torch.equal(ple.gate_weights(rows()), cgc.gate_weights(rows()))


def test_an_independent_forward_pass_in_numpy_agrees_on_three_levels() -> None:
    model, x = random_ple(n_levels=3, n_task_experts=2, n_shared_experts=1), rows().numpy()
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    streams = [x, x, x]
    for level in range(3):
        read = f"levels.{level}."
        of_task = [
            [_expert(state, f"{read}experts.own.", 2 * t + e, streams[t]) for e in range(2)]
            for t in range(2)
        ]
        shared = [_expert(state, f"{read}experts.shared.", 0, streams[2])]
        gates = state[f"{read}task_gates.weight"].reshape(2, 3, -1)
        above = [_mix(streams[t] @ gates[t].T, of_task[t] + shared) for t in range(2)]
        if level < 2:
            gate = state[f"{read}shared_gate.weight"]
            above.append(_mix(streams[2] @ gate.T, of_task[0] + of_task[1] + shared))
        streams = above
    expected = np.stack(streams, axis=1)
    np.testing.assert_allclose(model(rows()).detach().numpy(), expected, atol=1e-12)


def _expert(state: dict[str, np.ndarray], prefix: str, expert: int, x: np.ndarray) -> np.ndarray:
    units = slice(expert * 7, (expert + 1) * 7)
    pre = x @ state[f"{prefix}first_weight"][units].T + state[f"{prefix}first_bias"][units]
    weight, bias = state[f"{prefix}weights.0"][expert], state[f"{prefix}biases.0"][expert]
    return np.maximum(np.maximum(pre, 0) @ weight + bias, 0)


def _mix(logits: np.ndarray, experts: list[np.ndarray]) -> np.ndarray:
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(sum(weights[:, [e]] * expert for e, expert in enumerate(experts)))


def test_the_last_level_has_no_shared_gate_and_the_others_do() -> None:
    gates = [level.shared_gate for level in random_ple(n_levels=3).extraction_levels()]
    assert [gate is None for gate in gates] == [False, False, True]


def test_without_shared_experts_the_tasks_are_fully_apart() -> None:
    model = random_ple(n_shared_experts=0)
    model(rows())[:, 0].square().sum().backward()
    for level in model.extraction_levels():
        assert level.shared_gate is None
        assert level.experts.own is not None
        for stacked in (level.experts.own.first_weight, level.task_gates.weight):
            assert stacked.grad is not None
            first, second = stacked.grad.chunk(2)
            assert first.abs().max() > 0
            assert second.abs().max() == 0


def test_a_task_reaches_the_experts_of_the_other_one_through_the_shared_stream_only() -> None:
    model = random_ple()
    first, last = model.extraction_levels()
    model(rows())[:, 0].square().sum().backward()
    assert first.experts.own is not None
    assert last.experts.own is not None
    assert first.experts.own.first_weight.grad is not None
    assert last.experts.own.first_weight.grad is not None
    assert first.experts.own.first_weight.grad[14:].abs().max() > 0
    assert last.experts.own.first_weight.grad[14:].abs().max() == 0


def test_weights_are_those_of_the_last_level_over_own_and_shared_experts() -> None:
    model = random_ple(n_task_experts=1, n_shared_experts=3)
    weights = model.gate_weights(rows())
    assert weights.shape == (5, 2, 4)
    first, last = model.extraction_levels()
    assert torch.equal(weights, last.task_weights(first(rows())))

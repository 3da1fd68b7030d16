"""HoME: feature gates, groups, self-gates and normalised experts."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from paretorank.architectures import HoME, HoMEConfig
from paretorank.architectures.home import FeatureGates
from paretorank.foundation.errors import ConfigError

VALUES: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "values" / "architectures.json").read_text()
)
GROUPS = (0, 0, 1)


def double(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def random_model(**settings: Any) -> HoME:
    config = HoMEConfig(
        **{"expert_dims": (5,), "task_groups": GROUPS, "feature_gate_rank": 2, **settings}
    )
    generator = torch.Generator().manual_seed(3)
    model = config.build(in_dim=6, n_tasks=3, generator=generator).double()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "gate" in name or name.endswith("up"):
                parameter.normal_(generator=generator)  # far from the start
    return model


def rows(n_rows: int = 8) -> Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.randn(n_rows, 6, generator=generator, dtype=torch.float64)


def test_a_feature_gate_has_the_pinned_values_and_starts_as_the_identity() -> None:
    pinned = VALUES["home_feature_gate"]
    x = double(pinned["x"])
    gates = FeatureGates(4, 1, 1, torch.Generator().manual_seed(0)).double()
    assert torch.equal(gates(x)[0], x)
    with torch.no_grad():
        gates.down.copy_(double(pinned["A"]).T)
        gates.up.copy_(double(pinned["B"]).unsqueeze(0))
    torch.testing.assert_close(gates(x)[0], double(pinned["out"]), rtol=0.0, atol=1e-9)


def test_experts_of_another_group_get_no_gradient_at_any_level() -> None:
    model = random_model()
    model(rows())[:, 2].square().sum().backward()
    for experts in (model.meta.group.experts, model.tasks.group):
        grad = experts.first_weight.grad
        assert grad is not None
        first, second = grad.chunk(2)
        assert first.abs().max() == 0
        assert second.abs().max() > 0
    own = model.tasks.own.first_weight.grad
    assert own is not None
    assert own.chunk(3)[0].abs().max() == 0
    up = model.meta.group.features
    assert up is not None
    assert up.up.grad is not None
    assert up.up.grad[:2].abs().max() == 0


def test_tasks_of_one_group_reach_the_same_experts() -> None:
    model = random_model()
    model(rows())[:, 1].square().sum().backward()
    grad = model.tasks.group.first_weight.grad
    assert grad is not None
    assert grad.chunk(2)[0].abs().max() > 0
    assert grad.chunk(2)[1].abs().max() == 0


def test_weights_are_of_own_group_and_shared_experts() -> None:
    model = random_model(n_task_experts=1, n_group_experts=2, n_shared_experts=3)
    assert model.tasks.gate.seen.tolist() == [
        [0, 3, 4, 7, 8, 9],
        [1, 3, 4, 7, 8, 9],
        [2, 5, 6, 7, 8, 9],
    ]
    assert model.eval().gate_weights(rows()).shape == (8, 3, 6)


def test_units_of_experts_have_mean_zero_and_variance_one_before_their_activation() -> None:
    model = random_model()
    seen: list[Tensor] = []
    for experts in (model.meta.group.experts, model.tasks.own):
        experts.norms[0].register_forward_hook(lambda _, __, h: seen.append(h))
    model(rows(200))
    for h in seen:
        assert h.mean(dim=1).abs().max() < 1e-9
        assert (h.var(dim=1, correction=0) - 1).abs().max() < 0.01


def test_a_batch_of_one_row_trains_with_the_running_statistics() -> None:
    model = random_model()
    for _ in range(3):
        model(rows(50))
    one = model(rows(1))
    one.square().sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    torch.testing.assert_close(one, model.eval()(rows(1)))


def test_rows_do_not_depend_on_their_neighbours_at_inference() -> None:
    model = random_model()
    model(rows(50))
    model.eval()
    torch.testing.assert_close(model(rows())[:3], model(rows()[:3]))


@pytest.mark.parametrize("n_own", [1, 2])
def test_an_independent_forward_pass_in_numpy_agrees(n_own: int) -> None:
    model = random_model(n_task_experts=n_own, n_group_experts=n_own, n_shared_experts=1).eval()
    s = {name: value.numpy() for name, value in model.state_dict().items()}
    x = rows().numpy()
    meta = {
        bank: [_meta_expert(s, f"meta.{bank}.", e, x) for e in range(count)]
        for bank, count in (("group", 2 * n_own), ("shared", 1))
    }
    groups = [
        _gated(
            s,
            "meta.gate.",
            g,
            2,
            x=x,
            own=meta["group"][g * n_own :][:n_own],
            others=meta["shared"],
        )
        for g in range(2)
    ]
    shared = meta["shared"][0]  # the softmax over a single expert is 1
    expected = []
    for task, group in enumerate(GROUPS):
        own = [_expert(s, "tasks.own.", task * n_own + e, groups[group]) for e in range(n_own)]
        others = [
            _expert(s, "tasks.group.", group * n_own + e, groups[group]) for e in range(n_own)
        ]
        others.append(_expert(s, "tasks.shared.", 0, shared))
        both = np.concatenate([groups[group], shared], axis=1)
        expected.append(_gated(s, "tasks.gate.", task, 3, x=both, own=own, others=others))
    found = model(rows()).detach().numpy()
    np.testing.assert_allclose(found, np.stack(expected, axis=1), atol=1e-12)


def _meta_expert(s: dict[str, np.ndarray], prefix: str, e: int, x: np.ndarray) -> np.ndarray:
    down = s[f"{prefix}features.down"][e * 2 : (e + 1) * 2]
    gate = 2 / (1 + np.exp(-(x @ down.T @ s[f"{prefix}features.up"][e])))
    return _expert(s, f"{prefix}experts.", e, x * gate)


def _expert(s: dict[str, np.ndarray], prefix: str, e: int, x: np.ndarray) -> np.ndarray:
    units = slice(e * 5, (e + 1) * 5)
    h = x @ s[f"{prefix}first_weight"][units].T + s[f"{prefix}first_bias"][units]
    mean, var, weight, bias = (
        s[f"{prefix}norms.0.{part}"][e]
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    h = (h - mean) / np.sqrt(var + 1e-5) * weight + bias
    return np.asarray(h / (1 + np.exp(-h)))


def _gated(
    s: dict[str, np.ndarray],
    prefix: str,
    at: int,
    n_gates: int,
    *,
    x: np.ndarray,
    own: list[np.ndarray],
    others: list[np.ndarray],
) -> np.ndarray:
    logits = x @ s[f"{prefix}gates.weight"].reshape(n_gates, -1, x.shape[1])[at].T
    weights = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    result = sum(weights[:, [e]] * expert for e, expert in enumerate([*own, *others]))
    logits = x @ s[f"{prefix}self_gates.weight"].reshape(n_gates, -1, x.shape[1])[at].T
    own_weights = (
        1 / (1 + np.exp(-logits))
        if len(own) == 1
        else np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    )
    return np.asarray(result + sum(own_weights[:, [e]] * expert for e, expert in enumerate(own)))


def test_groups_that_do_not_fit_the_tasks_are_refused() -> None:
    with pytest.raises(ConfigError, match="a group for each of 2 tasks"):
        HoMEConfig(task_groups=GROUPS).build(in_dim=6, n_tasks=2, generator=torch.Generator())

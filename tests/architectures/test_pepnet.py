"""PEPNet: gates between 0 and 2 that the prior steers."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from paretorank.architectures import PEPNet, PEPNetConfig
from paretorank.architectures.pepnet import GateUnit
from paretorank.blocks import Extras

VALUES = json.loads(
    (Path(__file__).parents[1] / "values" / "architectures.json").read_text(encoding="utf-8")
)
N_ROWS, IN_DIM, N_TASKS = 4, 5, 2
PRIOR_DIMS = (2, 1)


def double(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def build(*, domain: tuple[str, ...] = (), activation: str = "relu") -> PEPNet:
    config = PEPNetConfig.model_validate(
        {
            "prior": ("item",) if domain else ("user", "item"),
            "domain": domain,
            "hidden_dims": (6, 3),
            "gate_dim": 4,
            "activation": activation,
        }
    )
    generator = torch.Generator().manual_seed(1)
    model = config.build(in_dim=IN_DIM, n_tasks=N_TASKS, prior_dims=PRIOR_DIMS, generator=generator)
    return model.double()


def inputs() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(N_ROWS, IN_DIM, generator=generator, dtype=torch.float64)
    prior = torch.randn(N_ROWS, sum(PRIOR_DIMS), generator=generator, dtype=torch.float64)
    return x.requires_grad_(), prior.requires_grad_()


def pinned_gate() -> GateUnit:
    gate = GateUnit(6, 3, 4, generator=torch.Generator()).double()
    with torch.no_grad():
        gate.hidden.weight.copy_(double(VALUES["pepnet_epnet"]["W1"]).T)
        gate.out.weight.copy_(double(VALUES["pepnet_epnet"]["W2"]).T)
        gate.hidden.bias.zero_()
        gate.out.bias.zero_()
    return gate


def test_a_gate_on_embeddings_has_the_pinned_values() -> None:
    pinned = VALUES["pepnet_epnet"]
    embedding = double(pinned["embedding"])
    gate = pinned_gate()(double(pinned["domain"]), embedding)
    torch.testing.assert_close(gate, double(pinned["gate"]), rtol=0.0, atol=1e-9)
    torch.testing.assert_close(gate * embedding, double(pinned["out"]), rtol=0.0, atol=1e-9)


def test_a_gate_whose_last_layer_is_zero_changes_nothing() -> None:
    gate, pinned = pinned_gate(), VALUES["pepnet_epnet"]
    with torch.no_grad():
        gate.out.weight.zero_()
    factors = gate(double(pinned["domain"]), double(pinned["embedding"]))
    assert torch.equal(factors, torch.ones_like(factors))


def gate_by_hand(model: PEPNet, name: str, read: np.ndarray) -> np.ndarray:
    state = {key: value.numpy() for key, value in model.state_dict().items()}
    hidden = read @ state[f"{name}.hidden.weight"].T + state[f"{name}.hidden.bias"]
    out = np.maximum(hidden, 0) @ state[f"{name}.out.weight"].T + state[f"{name}.out.bias"]
    return 2 / (1 + np.exp(-out))


@pytest.mark.parametrize("domain", [(), ("user",)])
def test_an_independent_forward_pass_in_numpy_agrees(domain: tuple[str, ...]) -> None:
    model, (x, prior) = build(domain=domain), inputs()
    rows, known = x.detach().numpy(), prior.detach().numpy()
    place, steer = (known[:, :2], known[:, 2:]) if domain else (known, known)
    gated = rows * gate_by_hand(model, "embedding_gate", np.concatenate([place, rows], 1))
    read = np.concatenate([steer, gated], 1)
    for task in range(N_TASKS):
        h = gated
        for layer, width in enumerate((6, 3)):
            weight, bias = model.weights[layer][task], model.biases[layer][task]
            h = np.maximum(h @ weight.detach().numpy() + bias.detach().numpy(), 0)
            units = slice(task * width, (task + 1) * width)
            h *= gate_by_hand(model, f"gates.{layer}", read)[:, units]
        found = model(x, Extras(prior=prior))[:, task].detach().numpy()
        np.testing.assert_allclose(found, h, atol=1e-12)


def test_gates_send_their_gradient_into_the_prior_and_not_into_the_input() -> None:
    gate, (x, prior) = GateUnit(8, 3, 4, generator=torch.Generator()).double(), inputs()
    gate(prior, x).sum().backward()
    assert x.grad is None
    assert prior.grad is not None
    assert (prior.grad != 0).any()


def test_the_gradient_to_the_input_is_that_of_gates_held_fixed() -> None:
    model, (x, prior) = build(activation="silu"), inputs()
    model(x, Extras(prior=prior)).square().sum().backward()
    analytic, step = x.grad, 1e-6
    assert analytic is not None
    fixed: dict[str, Tensor] = {}
    gates = {"embedding_gate": model.embedding_gate, "0": model.gates[0], "1": model.gates[1]}
    for name, gate in gates.items():
        gate.register_forward_hook(lambda _m, _i, out, at=name: fixed.setdefault(at, out.detach()))
    model(x, Extras(prior=prior))
    with torch.no_grad():
        for row, column in ((0, 0), (2, 3)):
            moved = x.clone()
            moved[row, column] += step
            up = model(moved, Extras(prior=prior)).square().sum()
            moved[row, column] -= 2 * step
            down = model(moved, Extras(prior=prior)).square().sum()
            slope = (up - down) / (2 * step)
            torch.testing.assert_close(analytic[row, column], slope, rtol=1e-5, atol=1e-8)


def test_a_loss_leaves_the_layers_of_other_tasks_alone() -> None:
    model, (x, prior) = build(), inputs()
    model(x, Extras(prior=prior))[:, 0].sum().backward()
    for parameter in (*model.weights, *model.biases):
        assert parameter.grad is not None
        assert (parameter.grad[0] != 0).any()
        assert (parameter.grad[1] == 0).all()


def test_shared_are_the_parts_of_gates_that_all_tasks_use() -> None:
    model = build()
    expected = [model.embedding_gate.out.weight, model.gates[1].hidden.weight]
    shared = set(map(id, model.shared_parameters()))
    assert set(map(id, expected)) <= shared
    assert id(model.gates[1].out.weight) not in shared
    assert not set(map(id, model.weights)) & shared


def test_the_prior_must_be_there() -> None:
    with pytest.raises(ValueError, match="prior"):
        build()(inputs()[0])


def test_a_prior_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        PEPNetConfig(prior=())


def test_domain_features_come_before_the_prior() -> None:
    config = PEPNetConfig(prior=("user", "item"), domain=("page",))
    assert config.needs.prior == ("page", "user", "item")
    assert not config.needs.own_tables

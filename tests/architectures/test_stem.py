"""STEM-Net: what each task mixes, and which tables its loss can reach."""

import numpy as np
import pytest
import torch
from torch import Tensor

from paretorank.architectures import STEM, STEMConfig
from paretorank.blocks import Extras

N_ROWS, IN_DIM, N_TASKS = 5, 6, 3
SMALL = STEMConfig(n_experts=2, n_task_experts=2, expert_dims=(7, 4))


def build(config: STEMConfig = SMALL, *, n_tasks: int = N_TASKS) -> STEM:
    generator = torch.Generator().manual_seed(1)
    model = config.build(in_dim=IN_DIM, n_tasks=n_tasks, generator=generator).double()
    with torch.no_grad():
        for gate in model.gates:
            gate.weight.mul_(100)  # far from uniform
    return model


def inputs(*, n_tasks: int = N_TASKS) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(N_ROWS, IN_DIM, generator=generator, dtype=torch.float64)
    own = torch.randn(n_tasks, N_ROWS, IN_DIM, generator=generator, dtype=torch.float64)
    return x.requires_grad_(), own.requires_grad_()


def gradients(config: STEMConfig) -> tuple[Tensor, Tensor]:
    """Return the gradient of the first task's output to the shared and to the own inputs."""
    x, own = inputs()
    build(config)(x, Extras(by_task=own))[:, 0].square().sum().backward()
    assert x.grad is not None
    assert own.grad is not None
    return x.grad, own.grad


def experts_of(model: STEM, prefix: str, x: np.ndarray) -> np.ndarray:
    """Return the outputs of the two experts under a name, expert by expert."""
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    outputs = []
    for expert in range(2):
        units = slice(expert * 7, (expert + 1) * 7)
        h = x @ state[f"{prefix}.first_weight"][units].T + state[f"{prefix}.first_bias"][units]
        h = np.maximum(h, 0) @ state[f"{prefix}.weights.0"][expert]
        outputs.append(np.maximum(h + state[f"{prefix}.biases.0"][expert], 0))
    return np.stack(outputs, axis=1)


def test_an_independent_forward_pass_in_numpy_agrees() -> None:
    model, (x, own) = build(), inputs()
    by_task = own.detach().numpy()
    experts = [experts_of(model, f"task_experts.{t}", by_task[t]) for t in range(N_TASKS)]
    everything = np.concatenate([*experts, experts_of(model, "experts", x.detach().numpy())], 1)
    for task in range(N_TASKS):
        read = x.detach().numpy() + by_task[task]
        logits = read @ model.gates[task].weight.detach().numpy().T
        gate = np.exp(logits - logits.max(axis=1, keepdims=True))
        gate /= gate.sum(axis=1, keepdims=True)
        expected = np.einsum("be,beh->bh", gate, everything)
        h = model(x, Extras(by_task=own))[:, task].detach().numpy()
        np.testing.assert_allclose(h, expected, atol=1e-12)


def test_a_loss_reaches_the_shared_inputs_and_its_own_ones_alone() -> None:
    shared, own = gradients(SMALL)
    assert (shared != 0).any()
    assert (own[0] != 0).any()
    assert (own[1:] == 0).all()


def test_without_the_stop_gradient_values_stay_and_gradients_change() -> None:
    open_ = SMALL.model_copy(update={"stop_gradient": False})
    x, own = inputs()
    extras = Extras(by_task=own)
    assert torch.equal(build()(x, extras), build(open_)(x, extras))
    assert (gradients(open_)[1][1:] != 0).any()


def test_experts_of_another_task_learn_nothing_from_a_loss() -> None:
    model, (x, own) = build(), inputs()
    model(x, Extras(by_task=own))[:, 1].sum().backward()
    reached = [
        any(p.grad is not None and bool((p.grad != 0).any()) for p in experts.parameters())
        for experts in model.task_experts
    ]
    assert reached == [False, True, False]
    assert all(p.grad is not None for p in model.experts.parameters())


@pytest.mark.parametrize("stop_gradient", [True, False])
def test_shared_are_exactly_the_parameters_that_two_losses_reach(stop_gradient: bool) -> None:
    model, (x, own) = build(SMALL.model_copy(update={"stop_gradient": stop_gradient})), inputs()
    reached: dict[int, int] = {}
    for task in range(N_TASKS):
        model.zero_grad(set_to_none=True)
        model(x, Extras(by_task=own))[:, task].square().sum().backward()
        for p in model.parameters():
            found = p.grad is not None and bool((p.grad != 0).any())
            reached[id(p)] = reached.get(id(p), 0) + found
    assert {key for key, n in reached.items() if n > 1} == set(map(id, model.shared_parameters()))


def test_gate_weights_cover_all_experts_and_sum_to_one() -> None:
    model, (x, own) = build(), inputs()
    weights = model.gate_weights(x, Extras(by_task=own))
    assert weights.shape == (N_ROWS, N_TASKS, 2 * N_TASKS + 2)
    assert not weights.requires_grad
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(N_ROWS, N_TASKS).double())


def test_a_single_task_keeps_its_axis() -> None:
    x, own = inputs(n_tasks=1)
    assert build(n_tasks=1)(x, Extras(by_task=own)).shape == (N_ROWS, 1, 4)


def test_inputs_of_each_task_must_be_there() -> None:
    with pytest.raises(ValueError, match="by_task"):
        build()(inputs()[0])


def test_gradients_agree_with_finite_differences() -> None:
    config = STEMConfig(
        n_experts=1, n_task_experts=1, expert_dims=(3,), activation="silu", stop_gradient=False
    )
    model, (x, own) = build(config, n_tasks=2), inputs(n_tasks=2)
    assert torch.autograd.gradcheck(lambda a, b: model(a, Extras(by_task=b)), (x, own))

"""Experts computed together are the same as experts computed one by one."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from paretorank.blocks import ExpertBank


def bank(
    *, hidden_dims: tuple[int, ...] = (5, 4), activation: str = "relu", n_experts: int = 3
) -> ExpertBank:
    generator = torch.Generator().manual_seed(7)
    assert activation in ("relu", "silu")
    return ExpertBank(
        6,
        hidden_dims,
        n_experts,
        generator=generator,
        activation="relu" if activation == "relu" else "silu",
    )


def one_by_one(experts: ExpertBank, x: Tensor) -> Tensor:
    activate = F.relu if experts.activation == "relu" else F.silu
    weights = experts.first_weight.view(experts.n_experts, -1, x.shape[1])
    biases = experts.first_bias.view(experts.n_experts, -1)
    outputs = []
    for e in range(experts.n_experts):
        h = activate(x @ weights[e].T + biases[e])
        for weight, bias in zip(experts.weights, experts.biases, strict=True):
            h = activate(h @ weight[e] + bias[e, 0])
        outputs.append(h)
    return torch.stack(outputs, dim=1)


def inputs(n_rows: int = 4) -> Tensor:
    return torch.randn(n_rows, 6, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("activation", ["relu", "silu"])
@pytest.mark.parametrize("hidden_dims", [(4,), (5, 4), (5, 3, 4)])
def test_values_and_gradients_agree_with_a_loop_over_experts(
    hidden_dims: tuple[int, ...], activation: str
) -> None:
    experts = bank(hidden_dims=hidden_dims, activation=activation).double()
    x = inputs().double().requires_grad_()
    weight = torch.randn(4, 3, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    wanted = [x, *experts.parameters()]
    together = torch.autograd.grad((experts(x) * weight).sum(), wanted)
    alone = torch.autograd.grad((one_by_one(experts, x) * weight).sum(), wanted)
    torch.testing.assert_close(experts(x), one_by_one(experts, x))
    for ours, theirs in zip(together, alone, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_gradients_agree_with_finite_differences() -> None:
    experts = bank(hidden_dims=(3, 2), activation="silu").double()
    assert torch.autograd.gradcheck(experts, (inputs(3).double().requires_grad_(),))


def test_one_row_gives_one_row() -> None:
    assert bank()(inputs(1)).shape == (1, 3, 4)


def test_all_pairs_of_experts_differ_at_the_start() -> None:
    first, second = bank().first_weight.view(3, 5, 6), bank().weights[0]
    for i in range(3):
        for j in range(i):
            assert (first[i] - first[j]).abs().max() > 0
            assert (second[i] - second[j]).abs().max() > 0


def test_all_units_of_an_expert_differ_at_the_start() -> None:
    experts = bank(hidden_dims=(16, 8))
    rows = experts.first_weight
    assert len(rows.unique(dim=0)) == len(rows)
    for expert in experts.weights[0]:
        assert len(expert.T.unique(dim=0)) == 8


def test_initial_weights_have_the_spread_of_a_linear_layer() -> None:
    experts = ExpertBank(100, (64, 32), 4, generator=torch.Generator().manual_seed(0))
    assert 0.099 < float(experts.first_weight.detach().abs().max()) <= 0.1
    assert 0.124 < float(experts.weights[0].detach().abs().max()) <= 0.125


def test_the_same_generator_gives_the_same_experts_and_the_global_one_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    first, second = bank(), bank()
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(
        torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)
    )


def test_dropout_acts_only_while_training() -> None:
    generator = torch.Generator().manual_seed(3)
    experts = ExpertBank(6, (32, 32), 2, generator=generator, dropout_rate=0.5)
    x = inputs()
    assert not torch.equal(experts(x), experts(x))
    experts.eval()
    assert torch.equal(experts(x), experts(x))


def test_no_layers_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one layer"):
        bank(hidden_dims=())

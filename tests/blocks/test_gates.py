"""Gates score experts and start near uniform."""

import pytest
import torch

from paretorank.blocks import GateBank, mix_experts


def test_logits_are_one_linear_map_per_gate_without_bias() -> None:
    gates = GateBank(3, n_experts=2, n_gates=2, generator=torch.Generator().manual_seed(0))
    x = torch.tensor([[1.0, 2.0, 3.0]])
    expected = torch.stack([gates.weight[:2] @ x[0], gates.weight[2:] @ x[0]]).unsqueeze(0)
    torch.testing.assert_close(gates(x), expected)
    assert torch.equal(gates(torch.zeros(1, 3)), torch.zeros(1, 2, 2))


def test_gates_start_with_small_weights_that_differ() -> None:
    gates = GateBank(400, n_experts=8, n_gates=3, generator=torch.Generator().manual_seed(0))
    assert 0.0095 < float(gates.weight.detach().std()) < 0.0105
    assert len(gates.weight.unique(dim=0)) == 24


def test_the_gradient_of_a_mixture_by_a_gate_logit_is_the_weight_times_the_distance() -> None:
    generator = torch.Generator().manual_seed(4)
    logits = torch.randn(1, 1, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    experts = torch.randn(1, 3, 2, generator=generator, dtype=torch.float64)
    weights = logits.softmax(dim=2)
    mixed = mix_experts(weights, experts)
    for unit in range(2):
        (gradient,) = torch.autograd.grad(mixed[0, 0, unit], logits, retain_graph=True)
        expected = weights[0, 0] * (experts[0, :, unit] - mixed[0, 0, unit])
        torch.testing.assert_close(gradient[0, 0], expected)


@pytest.mark.parametrize("n_gates", [1, 3, 6])
def test_mixing_has_the_value_and_gradient_of_a_batched_product(n_gates: int) -> None:
    generator = torch.Generator().manual_seed(0)
    weights = torch.rand(4, n_gates, 5, generator=generator, dtype=torch.float64)
    experts = torch.randn(5, 4, 2, generator=generator, dtype=torch.float64).transpose(0, 1)
    wanted = [weights.requires_grad_(), experts.requires_grad_()]
    mixed = mix_experts(weights, experts)
    torch.testing.assert_close(mixed, torch.einsum("bge,beh->bgh", weights, experts))
    outer = torch.randn(mixed.shape, generator=generator, dtype=torch.float64)
    ours = torch.autograd.grad((mixed * outer).sum(), wanted)
    theirs = torch.autograd.grad((torch.bmm(weights, experts) * outer).sum(), wanted)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)

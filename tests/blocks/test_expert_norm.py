"""Batch normalisation of every unit of every expert."""

import torch
import torch.nn.functional as F
from torch import Tensor

from paretorank.blocks import ExpertBank
from paretorank.blocks.expert_norm import ExpertNorm


def activations(n_rows: int = 50) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, n_rows, 4, generator=generator, dtype=torch.float64) * 5 + 2


def test_each_unit_has_mean_zero_and_variance_one_while_training() -> None:
    h = ExpertNorm(3, 4).double()(activations())
    torch.testing.assert_close(h.mean(dim=1), torch.zeros(3, 4, dtype=torch.float64))
    ones = torch.ones(3, 4, dtype=torch.float64)
    torch.testing.assert_close(h.var(dim=1, correction=0), ones, atol=1e-4, rtol=0)


def test_it_agrees_with_the_batch_norm_of_torch_in_both_modes() -> None:
    norm, theirs = ExpertNorm(3, 4).double(), torch.nn.BatchNorm1d(12).double()
    with torch.no_grad():
        norm.weight.copy_(torch.rand(3, 1, 4, generator=torch.Generator().manual_seed(1)))
        norm.bias.copy_(torch.rand(3, 1, 4, generator=torch.Generator().manual_seed(2)))
        theirs.weight.copy_(norm.weight.flatten())
        theirs.bias.copy_(norm.bias.flatten())
    for mode in (True, True, False):
        flat = theirs.train(mode)(activations().transpose(0, 1).flatten(1))
        torch.testing.assert_close(
            norm.train(mode)(activations()), flat.view(50, 3, 4).transpose(0, 1)
        )


def test_a_batch_of_one_row_is_normalised_with_the_running_statistics() -> None:
    norm = ExpertNorm(3, 4).double()
    norm(activations())
    one = activations()[:, :1]
    before = norm.running_mean.clone()
    torch.testing.assert_close(norm(one), norm.eval()(one))
    assert torch.equal(norm.running_mean, before)


def test_looking_at_losses_does_not_move_the_running_statistics() -> None:
    norm = ExpertNorm(3, 4).double()
    with torch.no_grad():
        norm(activations())
    assert norm.running_mean.abs().max() == 0


def test_gradients_agree_with_finite_differences() -> None:
    norm = ExpertNorm(3, 4).double()
    assert torch.autograd.gradcheck(norm, (activations(5).requires_grad_(),))


def test_an_expert_normalises_each_layer_before_its_activation() -> None:
    generator = torch.Generator().manual_seed(0)
    bank = ExpertBank(4, (5, 3), 2, generator=generator, activation="silu", normalized=True)
    x = torch.randn(20, 4, generator=generator)
    first = F.linear(x, bank.first_weight[5:], bank.first_bias[5:])
    h = F.silu(F.batch_norm(first, None, None, training=True))
    h = h @ bank.weights[0][1] + bank.biases[0][1]
    expected = F.silu(F.batch_norm(h, None, None, training=True))
    torch.testing.assert_close(bank(x)[:, 1], expected)

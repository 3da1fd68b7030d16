"""Towers of all tasks, computed together."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from paretorank.blocks import TowerBank


def towers(hidden_dims: tuple[int, ...] = (5,)) -> TowerBank:
    return TowerBank(4, hidden_dims, 3, generator=torch.Generator().manual_seed(0))


def representation(n_rows: int = 6) -> Tensor:
    return torch.randn(n_rows, 3, 4, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("hidden_dims", [(), (5,), (5, 2)])
def test_hidden_layers_agree_with_a_loop_over_tasks(hidden_dims: tuple[int, ...]) -> None:
    bank, h = towers(hidden_dims), representation()
    expected = []
    for task in range(3):
        z = h[:, task]
        for weight, bias in zip(bank.weights, bank.biases, strict=True):
            z = F.relu(z @ weight[task] + bias[task])
        expected.append(z)
    torch.testing.assert_close(bank(h), torch.stack(expected, dim=1))


def test_one_row_keeps_its_axes() -> None:
    assert towers()(representation(1)).shape == (1, 3, 5)


def test_a_loss_of_one_task_reaches_only_its_own_tower() -> None:
    bank = towers()
    bank(representation())[:, 1].sum().backward()
    for parameter in bank.parameters():
        assert parameter.grad is not None
        assert parameter.grad[[0, 2]].abs().max() == 0
        assert parameter.grad[1].abs().max() > 0


@pytest.mark.parametrize("hidden_dims", [(5,), (5, 2)])
def test_one_representation_for_all_tasks_gives_what_copies_of_it_give(
    hidden_dims: tuple[int, ...],
) -> None:
    bank, h = towers(hidden_dims).double(), representation()[:, :1].double().requires_grad_()
    weight = torch.randn(6, 3, hidden_dims[-1], generator=torch.Generator().manual_seed(2)).double()
    wanted = [h, *bank.parameters()]
    spread = torch.autograd.grad((bank(h.expand(-1, 3, -1)) * weight).sum(), wanted)
    copied = torch.autograd.grad((bank(h.repeat(1, 3, 1)) * weight).sum(), wanted)
    for ours, theirs in zip(spread, copied, strict=True):
        torch.testing.assert_close(ours, theirs)

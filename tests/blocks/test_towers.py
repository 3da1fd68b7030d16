"""Towers of all tasks, computed together."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from paretorank.blocks import TowerBank


def towers(hidden_dims: tuple[int, ...] = (5,)) -> TowerBank:
    bank = TowerBank(4, hidden_dims, 3, generator=torch.Generator().manual_seed(0))
    bank.set_bias(torch.tensor([0.1, 0.2, 0.3]))
    return bank


def representation(n_rows: int = 6) -> Tensor:
    return torch.randn(n_rows, 3, 4, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("hidden_dims", [(), (5,), (5, 2)])
def test_logits_agree_with_a_loop_over_tasks(hidden_dims: tuple[int, ...]) -> None:
    bank, h = towers(hidden_dims), representation()
    expected = []
    for task in range(3):
        z = h[:, task]
        for weight, bias in zip(bank.weights, bank.biases, strict=True):
            z = F.relu(z @ weight[task] + bias[task])
        expected.append(z @ bank.logit_weight[task, :, 0] + bank.logit_bias[task])
    torch.testing.assert_close(bank(h), torch.stack(expected, dim=1))


def test_one_row_keeps_its_axes() -> None:
    assert towers()(representation(1)).shape == (1, 3)


def test_a_loss_of_one_task_reaches_only_its_own_tower() -> None:
    bank = towers()
    bank(representation())[:, 1].sum().backward()
    for parameter in bank.parameters():
        assert parameter.grad is not None
        assert parameter.grad[[0, 2]].abs().max() == 0
        assert parameter.grad[1].abs().max() > 0


def test_with_zero_input_weights_the_bias_is_the_logit() -> None:
    bank = towers(())
    with torch.no_grad():
        bank.logit_weight.zero_()
    assert torch.equal(bank(representation(1)), torch.tensor([[0.1, 0.2, 0.3]]))


def test_a_bias_for_the_wrong_number_of_tasks_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(3,\), got \(2,\)"):
        towers().set_bias(torch.zeros(2))

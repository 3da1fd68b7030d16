"""The last linear map of every task."""

import pytest
import torch
from torch import Tensor

from paretorank.blocks import OutputBank


def outputs(*n_outputs: int) -> OutputBank:
    bank = OutputBank(4, n_outputs, generator=torch.Generator().manual_seed(0))
    bank.set_bias(torch.arange(sum(n_outputs)) / 10)
    return bank


def hidden(n_rows: int = 6) -> Tensor:
    return torch.randn(n_rows, 3, 4, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("n_outputs", [(1, 1, 1), (1, 3, 2), (2, 2, 2)])
def test_outputs_agree_with_a_loop_over_tasks(n_outputs: tuple[int, ...]) -> None:
    bank, h = outputs(*n_outputs), hidden()
    expected = torch.cat(
        [h[:, task] @ bank.logit_weight[task, :, :n] for task, n in enumerate(n_outputs)], dim=1
    )
    torch.testing.assert_close(bank(h), expected + bank.logit_bias)


def test_the_logit_of_a_task_is_its_first_output() -> None:
    bank = outputs(1, 3, 2)
    assert bank.logits(torch.arange(6.0).unsqueeze(0)).tolist() == [[0.0, 1.0, 4.0]]


def test_other_logits_take_the_place_of_the_first_outputs_only() -> None:
    bank, given = outputs(1, 3, 2), torch.zeros(1, 6)
    replaced = bank.with_logits(given, torch.tensor([[7.0, 8.0, 9.0]]))
    assert replaced.tolist() == [[7.0, 8.0, 0.0, 0.0, 9.0, 0.0]]
    assert given.abs().max() == 0


def test_one_row_keeps_its_axes() -> None:
    assert outputs(1, 1, 1)(hidden(1)).shape == (1, 3)


def test_a_loss_of_one_task_reaches_only_its_own_weights() -> None:
    bank = outputs(1, 3, 2)
    bank(hidden())[:, 1:4].sum().backward()
    assert bank.logit_weight.grad is not None
    assert bank.logit_weight.grad[[0, 2]].abs().max() == 0
    assert bank.logit_weight.grad[1].abs().max() > 0


def test_with_zero_weights_the_bias_is_the_output() -> None:
    bank = outputs(1, 1, 1)
    with torch.no_grad():
        bank.logit_weight.zero_()
    torch.testing.assert_close(bank(hidden(1)), torch.tensor([[0.0, 0.1, 0.2]]))


def test_a_bias_for_the_wrong_number_of_outputs_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(3,\), got \(2,\)"):
        outputs(1, 1, 1).set_bias(torch.zeros(2))

"""What all losses promise."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from paretorank.losses import (
    BinaryCrossEntropy,
    Huber,
    LogNormal,
    Loss,
    Poisson,
    SquaredError,
    WeightedLogistic,
)

MAKERS: dict[str, Callable[[], Loss]] = {
    "binary": BinaryCrossEntropy,
    "squared": SquaredError,
    "huber": lambda: Huber(0.7),
    "lognormal": lambda: LogNormal(2),
    "weighted_logistic": lambda: WeightedLogistic(2),
    "poisson": Poisson,
}
LABELS = {"binary": [[0.0, 1.0], [1.0, 1.0], [0.0, 0.0], [0.0, 1.0]]}
OTHER_LABELS = [[0.0, 2.0], [3.0, 1.0], [7.0, 0.0], [1.0, 11.0]]


@pytest.fixture(params=list(MAKERS))
def case(request: pytest.FixtureRequest) -> tuple[Loss, Tensor]:
    labels = LABELS.get(request.param, OTHER_LABELS)
    return MAKERS[request.param]().double(), torch.tensor(labels, dtype=torch.float64)


def test_every_element_has_a_loss_of_its_own(case: tuple[Loss, Tensor]) -> None:
    loss, label = case
    logit = torch.linspace(-1, 1, 8, dtype=torch.float64).view(4, 2)
    whole = loss(logit, label)
    assert whole.shape == (4, 2)
    torch.testing.assert_close(loss(logit[1:2], label[1:2]), whole[1:2])


def test_gradients_agree_with_finite_differences(case: tuple[Loss, Tensor]) -> None:
    loss, label = case
    logit = torch.linspace(-1.03, 1.1, 8, dtype=torch.float64).view(4, 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: loss(z, label), (logit,))


def test_no_constant_beats_the_constant_logit(case: tuple[Loss, Tensor]) -> None:
    loss, label = case
    weight = torch.tensor([[1.0, 2.0], [2.0, 1.0], [0.5, 1.0], [1.0, 0.0]], dtype=torch.float64)
    loss.fit_(label, weight)
    best = loss.constant_logit(label, weight)

    def mean_loss(shift: float) -> Tensor:
        return (loss((best + shift).expand(4, 2), label) * weight).sum(dim=0)

    for shift in (-0.5, -0.01, 0.01, 0.5):
        assert (mean_loss(shift) > mean_loss(0.0)).all()


def test_rows_without_weight_do_not_move_the_constant_logit(case: tuple[Loss, Tensor]) -> None:
    loss, label = case
    weight = torch.ones_like(label)
    weight[3] = 0
    loss.fit_(label, weight)
    before = loss.constant_logit(label, weight)
    moved = label.clone()
    moved[3] = 1.0
    loss.fit_(moved, weight)
    torch.testing.assert_close(loss.constant_logit(moved, weight), before)


def test_a_task_without_any_row_starts_at_zero(case: tuple[Loss, Tensor]) -> None:
    loss, label = case
    loss.fit_(label, torch.zeros_like(label))
    constant = loss.constant_logit(label, torch.zeros_like(label))
    assert torch.equal(constant, torch.zeros(2, dtype=torch.float64))


def test_a_larger_logit_has_a_larger_score(case: tuple[Loss, Tensor]) -> None:
    loss, _ = case
    scores = loss.score(torch.linspace(-3, 3, 14, dtype=torch.float64).view(7, 2))
    assert (scores.diff(dim=0) >= 0).all()
    assert (scores[-1] > scores[0]).all()


@pytest.mark.parametrize(
    ("loss", "factor"), [(SquaredError(), 0.5), (BinaryCrossEntropy(), 1), (LogNormal(1), 1)]
)
def test_the_balance_factor_is_half_only_for_the_squared_error(loss: Loss, factor: float) -> None:
    assert loss.balance_factor == factor

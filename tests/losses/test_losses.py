"""What all losses promise."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from paretorank.losses import (
    D2Q,
    BinaryCrossEntropy,
    Cread,
    HeteroscedasticLogNormal,
    Huber,
    JointRankingCalibration,
    LogNormal,
    Loss,
    NegativeBinomial,
    Ordinal,
    Poisson,
    ProgressiveTree,
    Quantile,
    SquaredError,
    Tweedie,
    WeightedLogistic,
    ZeroInflatedLogNormal,
)

MAKERS: dict[str, Callable[[], Loss]] = {
    "binary": BinaryCrossEntropy,
    "jrc": lambda: JointRankingCalibration(0.1),
    "squared": SquaredError,
    "huber": lambda: Huber(0.7),
    "quantile": lambda: Quantile(0.37),
    "lognormal": lambda: LogNormal(2),
    "lognormal_heteroscedastic": lambda: HeteroscedasticLogNormal(2),
    "zero_inflated_lognormal": lambda: ZeroInflatedLogNormal(2),
    "weighted_logistic": lambda: WeightedLogistic(2),
    "tweedie": lambda: Tweedie(2, power=1.3),
    "cread": lambda: Cread(2, n_steps=2),
    "tpm": lambda: ProgressiveTree(2, depth=2),
    "d2q": lambda: D2Q(2, n_groups=2),
    "poisson": Poisson,
    "negative_binomial": lambda: NegativeBinomial(2),
    "ordinal": lambda: Ordinal(2, 12),
}
BINARY_LABELS = [[0.0, 1.0], [1.0, 1.0], [0.0, 0.0], [0.0, 1.0]]
LABELS = {"binary": BINARY_LABELS, "jrc": BINARY_LABELS}
OTHER_LABELS = [[0.0, 2.0], [3.0, 1.0], [7.0, 0.0], [1.0, 11.0]]
FREE_OUTPUTS = {"jrc": 1}
"""Outputs from this one on change no loss of a row by itself."""


def shape(loss: Loss, n_rows: int) -> tuple[int, ...]:
    return (n_rows, 2) if loss.n_outputs == 1 else (n_rows, 2, loss.n_outputs)


def some_logits(loss: Loss, n_rows: int, low: float, high: float) -> Tensor:
    n = torch.Size(shape(loss, n_rows)).numel()
    return torch.linspace(low, high, n, dtype=torch.float64).view(shape(loss, n_rows))


@pytest.fixture(params=list(MAKERS))
def case(request: pytest.FixtureRequest) -> tuple[Loss, Tensor]:
    labels = LABELS.get(request.param, OTHER_LABELS)
    return MAKERS[request.param]().double(), torch.tensor(labels, dtype=torch.float64)


def test_every_element_has_a_loss_of_its_own(case: tuple[Loss, Tensor]) -> None:
    loss, label = case
    logit = some_logits(loss, 4, -1, 1)
    whole = loss(logit, label)
    assert whole.shape == (4, 2)
    torch.testing.assert_close(loss(logit[1:2], label[1:2]), whole[1:2])


def test_gradients_agree_with_finite_differences(case: tuple[Loss, Tensor]) -> None:
    loss, label = case
    loss.fit_(label, torch.ones_like(label))
    logit = some_logits(loss, 4, -1.03, 1.1).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: loss(z, label), (logit,))
    own = tuple(loss.parameters())
    if own:
        names = [name for name, _ in loss.named_parameters()]

        def by_parameters(*values: Tensor) -> Tensor:
            state = dict(zip(names, values, strict=True))
            found: Tensor = torch.func.functional_call(loss, state, (logit.detach(), label))
            return found

        assert torch.autograd.gradcheck(by_parameters, own)


def test_no_constant_beats_the_constant_logit(case: tuple[Loss, Tensor]) -> None:
    loss, label = case
    weight = torch.tensor([[1.0, 2.0], [2.0, 1.0], [0.5, 1.0], [1.0, 0.0]], dtype=torch.float64)
    loss.fit_(label, weight)
    best = loss.constant_logit(label, weight)

    def mean_loss(shift: Tensor) -> Tensor:
        return (loss((best + shift).expand(shape(loss, 4)), label) * weight).sum(dim=0)

    for size in (-0.5, -0.01, 0.01, 0.5):
        everywhere = torch.full_like(best, size)
        assert (mean_loss(everywhere) > mean_loss(torch.zeros_like(best))).all()
        for output in range(loss.n_outputs if best.dim() > 1 else 0):
            one = torch.zeros_like(best)
            one[:, output] = size
            assert (mean_loss(one) >= mean_loss(torch.zeros_like(best)) - 1e-5).all()


def test_rows_without_weight_do_not_move_the_constant_logit(case: tuple[Loss, Tensor]) -> None:
    loss, label = case
    weight = torch.ones_like(label)
    weight[3] = 0
    loss.fit_(label, weight)
    before, fitted = loss.constant_logit(label, weight), loss.state_dict()
    moved = label.clone()
    moved[3] = 1.0
    loss.fit_(moved, weight)
    torch.testing.assert_close(loss.constant_logit(moved, weight), before)
    torch.testing.assert_close(loss.state_dict(), fitted)


def test_a_task_without_any_row_starts_at_zero(case: tuple[Loss, Tensor]) -> None:
    loss, label = case
    loss.fit_(label, torch.zeros_like(label))
    constant = loss.constant_logit(label, torch.zeros_like(label))
    assert torch.equal(constant, torch.zeros(shape(loss, 1)[1:], dtype=torch.float64))
    assert loss.score(some_logits(loss, 1, 0.1, 0.2)).isfinite().all()


def test_a_larger_logit_has_a_larger_score(case: tuple[Loss, Tensor]) -> None:
    loss, label = case
    loss.fit_(label, torch.ones_like(label))
    scores = loss.score(some_logits(loss, 7, -3, 3))
    assert (scores.diff(dim=0) >= 0).all()
    assert (scores[-1] > scores[0]).all()


@pytest.mark.parametrize("logit", [-1e3, 1e3])
def test_extreme_logits_make_neither_nan_nor_infinite_scores(
    case: tuple[Loss, Tensor], logit: float
) -> None:
    loss, label = case
    loss.float().fit_(label.float(), torch.ones(4, 2))
    outputs = torch.full(shape(loss, 4), logit, requires_grad=True)
    assert loss.score(outputs).isfinite().all()
    value = loss(outputs, label.float())
    assert not value.isnan().any()
    value.sum().backward()
    assert outputs.grad is not None
    assert not outputs.grad.isnan().any()


def test_what_was_fitted_can_be_saved_and_loaded(case: tuple[Loss, Tensor]) -> None:
    loss, label = case
    fitted = {name: value.clone() for name, value in loss.state_dict().items()}
    loss.fit_(label, torch.ones_like(label))
    logit = some_logits(loss, 4, -1, 1)
    value, score, state = loss(logit, label), loss.score(logit), loss.state_dict()
    state = {name: tensor.clone() for name, tensor in state.items()}
    loss.load_state_dict(fitted)
    loss.load_state_dict(state)
    torch.testing.assert_close(loss(logit, label), value)
    torch.testing.assert_close(loss.score(logit), score)


@pytest.mark.parametrize(
    ("loss", "factor"), [(SquaredError(), 0.5), (BinaryCrossEntropy(), 1), (LogNormal(1), 1)]
)
def test_the_balance_factor_is_half_only_for_the_squared_error(loss: Loss, factor: float) -> None:
    assert loss.balance_factor == factor

"""Rows without a label count nowhere."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from paretorank.losses import (
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
    fill_unobserved,
    reduce_losses,
)

LOSSES: list[Loss] = [
    BinaryCrossEntropy(),
    SquaredError(),
    Huber(1.0),
    LogNormal(2),
    LogNormal(2, shift=0.0),
    WeightedLogistic(2),
    Poisson(),
    NegativeBinomial(2),
    Ordinal(2, 3),
    Quantile(0.5),
    HeteroscedasticLogNormal(2, shift=0.0),
    ZeroInflatedLogNormal(2),
    Tweedie(2),
    Cread(2, n_steps=3),
    ProgressiveTree(2, depth=2),
    JointRankingCalibration(0.1),
]


def random_rows(n_rows: int = 50) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(n_rows, 2, generator=generator, requires_grad=True)
    return logits, torch.ones(n_rows, 2)


def test_the_mean_is_over_observed_rows_by_hand() -> None:
    loss = torch.tensor([[1.0, 10.0], [3.0, 20.0], [8.0, 40.0]])
    observed = torch.tensor([[True, True], [True, False], [False, True]])
    torch.testing.assert_close(reduce_losses(loss, observed), torch.tensor([2.0, 25.0]))
    weight = torch.tensor([1.0, 3.0, 1.0])
    torch.testing.assert_close(reduce_losses(loss, observed, weight), torch.tensor([2.5, 25.0]))


def test_a_task_without_an_observed_row_is_nan_with_zero_gradient() -> None:
    loss = torch.tensor([[1.0, 2.0], [3.0, torch.nan]], requires_grad=True)
    observed = torch.tensor([[True, False], [True, False]])
    means = reduce_losses(loss, observed)
    assert means.isnan().tolist() == [False, True]
    (gradient,) = torch.autograd.grad(means.sum(), loss)
    assert gradient.tolist() == [[0.5, 0.0], [0.5, 0.0]]


def test_rows_of_weight_zero_are_not_observed() -> None:
    means = reduce_losses(torch.ones(2, 1), torch.ones(2, 1, dtype=torch.bool), torch.zeros(2))
    assert means.isnan().all()


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_missing_labels_never_make_nan_gradients(loss: Loss) -> None:
    logits, labels = random_rows()
    if loss.n_outputs > 1:
        logits = logits.detach().unsqueeze(2).repeat(1, 1, loss.n_outputs).requires_grad_()
    observed = torch.rand(50, 2, generator=torch.Generator().manual_seed(1)) < 0.5
    labels[~observed] = torch.nan
    means = reduce_losses(loss(logits, fill_unobserved(labels, observed)), observed)
    means.sum().backward()
    assert logits.grad is not None
    assert logits.grad[~observed].abs().max() == 0
    assert logits.grad[observed].isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in loss.parameters())


def test_a_label_missing_on_most_rows_changes_nothing_for_the_other_task() -> None:
    logits, labels = random_rows(200)
    everywhere = torch.ones(200, 2, dtype=torch.bool)
    sparse = everywhere.clone()
    sparse[:, 1] = torch.rand(200, generator=torch.Generator().manual_seed(2)) < 0.1
    results = []
    for observed in (everywhere, sparse):
        filled = fill_unobserved(torch.where(observed, labels, torch.nan), observed)
        mean = reduce_losses(BinaryCrossEntropy()(logits, filled), observed)[0]
        results.append((mean, *torch.autograd.grad(mean, logits)))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


@given(seed=st.integers(0, 1000), n_rows=st.integers(1, 20))
@settings(max_examples=30, deadline=None)
def test_the_mean_agrees_with_selecting_the_rows(seed: int, n_rows: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    loss = torch.randn(n_rows, 3, generator=generator, dtype=torch.float64)
    observed = torch.rand(n_rows, 3, generator=generator) < 0.5
    weight = torch.rand(n_rows, generator=generator, dtype=torch.float64) + 0.1
    means = reduce_losses(loss, observed, weight)
    for task in range(3):
        rows = observed[:, task]
        alone = (loss[rows, task] * weight[rows]).sum() / weight[rows].sum()
        torch.testing.assert_close(means[task], alone, equal_nan=True)

"""Losses that compare the rows of a request."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from paretorank.losses import (
    BinaryCrossEntropy,
    JointRankingCalibration,
    Listwise,
    Loss,
    Pairwise,
    Requests,
)
from paretorank.losses.requests import (
    LONGEST_LIST,
    pairs_of,
    segment_log_softmax,
    segments,
)

CODE = torch.tensor([7, 3, 7, 3, 7])
LABEL = [1.0, 0.0, 0.0, 1.0, 0.0]
LOGIT = [0.5, 1.0, -1.0, 2.0, 0.0]
MAKERS: dict[str, Callable[[float], Loss]] = {
    "pairwise": Pairwise,
    "listwise": Listwise,
    "jrc": JointRankingCalibration,
}


def column(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).unsqueeze(1)


def everywhere(code: Tensor, n_tasks: int = 1) -> Requests:
    return Requests(code, torch.ones(len(code), n_tasks, dtype=torch.bool))


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


def log_softmax(chosen: float, *others: float) -> float:
    return chosen - math.log(sum(math.exp(z) for z in (chosen, *others)))


def ranking_part(loss: Loss, logit: Tensor, label: Tensor, requests: Requests) -> Tensor:
    return loss.in_requests(logit, label, requests) - loss(logit, label)


def random_case(kind: str, n_rows: int = 40, n_tasks: int = 2) -> tuple[Tensor, Tensor, Requests]:
    generator = torch.Generator().manual_seed(5)
    shape = (n_rows, n_tasks, 2) if kind == "jrc" else (n_rows, n_tasks)
    logit = torch.randn(shape, generator=generator, dtype=torch.float64)
    label = (torch.rand(n_rows, n_tasks, generator=generator) < 0.4).double()
    code = torch.randint(0, 9, (n_rows,), generator=generator)
    observed = torch.rand(n_rows, n_tasks, generator=generator) < 0.7
    return logit, label, Requests(code, observed)


each_kind = pytest.mark.parametrize("kind", MAKERS)


def test_pairwise_by_hand() -> None:
    found = ranking_part(Pairwise(1.0), column(LOGIT), column(LABEL), everywhere(CODE))
    low, middle, other = softplus(-1.5), softplus(-0.5), softplus(-1.0)
    expected = column([(low + middle) / 2, other, low, other, middle])
    torch.testing.assert_close(found, expected)


def test_listwise_by_hand() -> None:
    found = ranking_part(Listwise(1.0), column(LOGIT), column(LABEL), everywhere(CODE))
    first, second = -log_softmax(0.5, -1.0, 0.0), -log_softmax(2.0, 1.0)
    torch.testing.assert_close(found, column([first, 0, 0, second, 0]))


def test_joint_ranking_and_calibration_by_hand() -> None:
    zero = [0.3, -0.2, 0.1, 0.4, 0.0]
    one = [z + f for z, f in zip(LOGIT, zero, strict=True)]
    outputs = torch.stack([column(LOGIT), column(zero)], dim=2)
    loss = JointRankingCalibration(1.0)
    torch.testing.assert_close(
        loss(outputs, column(LABEL)), BinaryCrossEntropy()(column(LOGIT), column(LABEL))
    )
    found = ranking_part(loss, outputs, column(LABEL), everywhere(CODE))
    expected = column(
        [
            -log_softmax(one[0], one[2], one[4]),
            -log_softmax(zero[1], zero[3]),
            -log_softmax(zero[2], zero[0], zero[4]),
            -log_softmax(one[3], one[1]),
            -log_softmax(zero[4], zero[0], zero[2]),
        ]
    )
    torch.testing.assert_close(found, expected)


def test_the_two_logits_of_the_paper_give_its_probability() -> None:
    f_0, f_1 = 0.7, -0.4
    outputs = torch.tensor([[[f_1 - f_0, f_0]]], dtype=torch.float64)
    expected = math.exp(f_1) / (math.exp(f_0) + math.exp(f_1))
    assert float(JointRankingCalibration(0.1).score(outputs)) == pytest.approx(expected)


@each_kind
def test_the_weight_is_the_factor_of_the_ranking_part(kind: str) -> None:
    logit, label, requests = random_case(kind)
    once = ranking_part(MAKERS[kind](1.0), logit, label, requests)
    half = ranking_part(MAKERS[kind](0.5), logit, label, requests)
    assert float(once.abs().sum()) > 1
    torch.testing.assert_close(half, once / 2)


@each_kind
def test_the_order_of_the_rows_means_nothing(kind: str) -> None:
    loss, (logit, label, requests) = MAKERS[kind](0.3), random_case(kind)
    order = torch.randperm(len(label), generator=torch.Generator().manual_seed(6))
    moved = Requests(requests.code[order], requests.observed[order])
    torch.testing.assert_close(
        loss.in_requests(logit[order], label[order], moved),
        loss.in_requests(logit, label, requests)[order],
    )


@each_kind
def test_a_constant_per_request_changes_no_ranking(kind: str) -> None:
    loss, (logit, label, requests) = MAKERS[kind](0.3), random_case(kind)
    constant = requests.code.double().view(-1, *[1] * (logit.dim() - 1)) - 4
    torch.testing.assert_close(
        ranking_part(loss, logit + constant, label, requests),
        ranking_part(loss, logit, label, requests),
    )


@each_kind
def test_gradients_agree_with_finite_differences(kind: str) -> None:
    loss, (logit, label, requests) = MAKERS[kind](0.3), random_case(kind, 12)
    logit.requires_grad_()
    assert torch.autograd.gradcheck(lambda z: loss.in_requests(z, label, requests), (logit,))


@each_kind
def test_rows_that_are_not_observed_take_no_part(kind: str) -> None:
    loss, (logit, label, requests) = MAKERS[kind](0.3), random_case(kind)
    known = loss.in_requests(logit, label, requests)
    moved = torch.where(requests.observed, label, 1 - label)
    elsewhere = requests.observed if logit.dim() == 2 else requests.observed.unsqueeze(2)
    other = torch.where(elsewhere, logit, 1e3).requires_grad_()
    found = loss.in_requests(other, moved, requests)
    torch.testing.assert_close(found[requests.observed], known[requests.observed])
    (gradient,) = torch.autograd.grad(found[requests.observed].sum(), other)
    assert gradient[~requests.observed].abs().max() == 0
    assert gradient.isfinite().all()


@each_kind
def test_each_task_sees_its_own_observed_rows(kind: str) -> None:
    loss, (logit, label, requests) = MAKERS[kind](0.3), random_case(kind)
    whole = loss.in_requests(logit, label, requests)
    for task in range(2):
        alone = requests.of(torch.tensor([task]))
        found = loss.in_requests(logit[:, [task]], label[:, [task]], alone)
        torch.testing.assert_close(found, whole[:, [task]])


@each_kind
def test_requests_without_a_pair_have_no_ranking_loss(kind: str) -> None:
    logit, _, _ = random_case(kind, 5, 1)
    code = torch.tensor([1, 1, 2, 2, 3])
    label = column([1, 1, 0, 0, 1])
    found = ranking_part(MAKERS[kind](1.0), logit, label, everywhere(code))
    assert found.abs().max() == 0


@each_kind
@pytest.mark.parametrize("size", [-1e3, 1e3])
def test_extreme_logits_stay_finite(kind: str, size: float) -> None:
    logit, label, requests = random_case(kind)
    far = (logit.float() * size).requires_grad_()
    value = MAKERS[kind](1.0).in_requests(far, label.float(), requests)
    assert value.isfinite().all()
    (gradient,) = torch.autograd.grad(value.sum(), far)
    assert gradient.isfinite().all()


def test_pairs_agree_with_a_loop() -> None:
    code = torch.randint(0, 6, (30,), generator=torch.Generator().manual_seed(7))
    one, other = pairs_of(segments(code)[0])
    found = sorted(tuple(sorted(pair)) for pair in zip(one.tolist(), other.tolist(), strict=True))
    expected = [(i, j) for i in range(30) for j in range(i + 1, 30) if code[i] == code[j]]
    assert found == expected


def test_the_pairs_of_one_huge_request_are_bounded() -> None:
    n_rows = 3 * LONGEST_LIST + 10
    one, other = pairs_of(torch.zeros(n_rows, dtype=torch.long))
    per_part = LONGEST_LIST * (LONGEST_LIST - 1) // 2
    assert len(one) == 3 * per_part + 45
    assert torch.equal(one // LONGEST_LIST, other // LONGEST_LIST)


def test_a_batch_without_rows_or_pairs_is_no_problem() -> None:
    code = torch.arange(3)
    one, other = pairs_of(segments(code)[0])
    assert len(one) == len(other) == 0
    loss, logit = Pairwise(1.0), torch.randn(3, 1, generator=torch.Generator().manual_seed(0))
    assert ranking_part(loss, logit, torch.ones(3, 1), everywhere(code)).abs().max() == 0
    empty = everywhere(torch.zeros(0, dtype=torch.long))
    assert loss.in_requests(logit[:0], torch.ones(0, 1), empty).shape == (0, 1)


def test_the_softmax_of_a_request_is_that_of_its_rows_alone() -> None:
    code = torch.tensor([4, 9, 4, 4])
    logit = column([1.0, 5.0, 2.0, 3.0])
    counted = torch.tensor([[True], [True], [True], [False]])
    found = segment_log_softmax(logit, counted, *segments(code))
    expected = column([log_softmax(1.0, 2.0), 0.0, log_softmax(2.0, 1.0), 0.0])
    torch.testing.assert_close(found, expected)

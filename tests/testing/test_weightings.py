"""The checks of Gramian weightings hold for known rules, and find what is wrong with others."""

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torchjd.aggregation import (
    DualProjWeighting,
    MeanWeighting,
    UPGradWeighting,
)

from paretorank.testing import ContractError, check_weighting

Rule = Callable[[Tensor], Tensor]


def mean(gramian: Tensor) -> Tensor:
    return torch.full_like(gramian[0], 1 / len(gramian))


def shortest(gramian: Tensor) -> Tensor:
    """Solve on every face of the simplex and take the shortest solution: exact, for few tasks."""
    n_tasks = len(gramian)
    scaled = gramian / gramian.diagonal().max().clamp(min=1e-300)
    found = [torch.eye(n_tasks).double()[task] for task in range(n_tasks)]
    for size in range(2, n_tasks + 1):
        for face in itertools.combinations(range(n_tasks), size):
            weights = torch.zeros(n_tasks).double()
            weights[list(face)] = stationary_on(scaled[list(face)][:, list(face)])
            if (weights >= 0).all() and abs(float(weights.sum()) - 1) < 1e-9:
                found.append(weights)
    return min(found, key=lambda weights: float(weights @ scaled @ weights))


def stationary_on(gramian: Tensor) -> Tensor:
    """Return weights that sum to 1 and lower all losses alike."""
    ones = torch.ones(len(gramian), 1).double()
    system = torch.cat([torch.cat([gramian, ones], 1), torch.cat([ones.mT, ones[:1] * 0], 1)])
    wanted = torch.zeros(len(system)).double()
    wanted[-1] = 1.0
    return torch.linalg.lstsq(system, wanted.unsqueeze(1), driver="gelsd").solution[:-1, 0]


def inverse_lengths(gramian: Tensor) -> Tensor:
    return gramian.diagonal().clamp(min=1e-300).rsqrt()


def test_equal_weights_keep_the_plain_promises_only() -> None:
    check_weighting(mean)
    check_weighting(MeanWeighting(), n_tasks=4)
    with pytest.raises(ContractError, match="no loss may rise"):
        check_weighting(mean, non_conflicting=True)
    with pytest.raises(ContractError, match="must not change the direction"):
        check_weighting(mean, scale_free=True)
    with pytest.raises(ContractError, match="shorter combination"):
        check_weighting(mean, stationary=True)


def test_the_shortest_combination_is_recognised() -> None:
    check_weighting(shortest, non_conflicting=True, stationary=True)
    with pytest.raises(ContractError, match="must not change the direction"):
        check_weighting(shortest, scale_free=True)


def test_dividing_by_the_length_is_free_of_scale() -> None:
    check_weighting(inverse_lengths, scale_free=True)


@pytest.mark.parametrize("rule", [UPGradWeighting(), DualProjWeighting()], ids=repr)
def test_projections_of_torchjd_never_raise_a_loss(rule: Rule) -> None:
    check_weighting(rule, non_conflicting=True, tolerance=1e-3)


def faulty(fault: str) -> Rule:
    def rule(gramian: Tensor) -> Tensor:
        size = len(gramian)
        match fault:
            case "must have shape":
                return mean(gramian).sum()
            case "single task must be above 0":
                return mean(gramian) - float(size == 1)
            case "a gradient of zero: the weights must be finite":
                return gramian.diagonal().rsqrt()
            case "two equal gradients: the weights must be finite":
                off = gramian - gramian.diagonal().diag() * 2
                return mean(gramian) / (1 - torch.any(off == gramian[0, 0]).double())
            case "no gradient at all: the weights must be finite":
                return mean(gramian) * gramian.trace() / gramian.trace()
            case "must not be changed":
                gramian[0, 0] += 1
            case "order of the tasks":
                return torch.arange(1, 1 + size).double()
            case "always give the same weights":
                calls.append(size)
                return mean(gramian) * len(calls)
            case "draw random numbers":
                return torch.rand(size).double()
            case "shares that sum to 1":
                return 2 * mean(gramian)
        return mean(gramian)

    calls: list[int] = []
    return rule


@pytest.mark.parametrize(
    "fault",
    [
        "must have shape",
        "single task must be above 0",
        "a gradient of zero: the weights must be finite",
        "two equal gradients: the weights must be finite",
        "no gradient at all: the weights must be finite",
        "must not be changed",
        "order of the tasks",
        "always give the same weights",
        "draw random numbers",
        "shares that sum to 1",
    ],
)
def test_every_fault_of_a_weighting_is_named(fault: str) -> None:
    with pytest.raises(ContractError, match=fault):
        check_weighting(faulty(fault), stationary=fault == "shares that sum to 1")


def test_a_rule_without_fault_passes_and_a_random_one_may_mind_the_order() -> None:
    check_weighting(faulty("none"))
    check_weighting(faulty("order of the tasks"), is_random=True)
    check_weighting(faulty("draw random numbers"), is_random=True)


def test_too_few_tasks_are_refused() -> None:
    with pytest.raises(ValueError, match="three"):
        check_weighting(mean, n_tasks=2)

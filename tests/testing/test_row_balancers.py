"""The check of balancers of rows finds broken promises."""

import pytest
import torch
from typing_extensions import override

from paretorank.balancing import RowBalancer, RowWeights, SeenRows
from paretorank.testing import ContractError, check_row_balancer


class Plain(RowBalancer):
    @override
    def weigh_rows(self, rows: SeenRows) -> RowWeights:
        return RowWeights(torch.ones_like(rows.losses))


class Restless(RowBalancer):
    @override
    def weigh_rows(self, rows: SeenRows) -> RowWeights:
        return RowWeights(torch.rand(rows.losses.shape))


class Curious(RowBalancer):
    @override
    def weigh_rows(self, rows: SeenRows) -> RowWeights:
        return RowWeights(rows.losses.sum(dim=1, keepdim=True).expand_as(rows.losses))


def test_an_honest_balancer_passes() -> None:
    check_row_balancer(lambda task_names, **_: Plain(task_names))


def test_random_numbers_of_nobody_are_found() -> None:
    with pytest.raises(ContractError, match="random numbers"):
        check_row_balancer(lambda task_names, **_: Restless(task_names))


def test_a_look_at_hidden_losses_is_found() -> None:
    with pytest.raises(ContractError, match="not observed"):
        check_row_balancer(lambda task_names, **_: Curious(task_names))

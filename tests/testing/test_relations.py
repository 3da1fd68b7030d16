"""The checks of relations hold for ours, and find what is wrong with others."""

from typing import Any, get_args

import pytest
import torch
from pydantic import BaseModel
from torch import Tensor
from typing_extensions import override

from paretorank.relations import (
    Dependencies,
    Related,
    Relation,
    RelationConfig,
    RowLosses,
    Seen,
    UnrelatedConfig,
)
from paretorank.testing import ContractError, check_relation


def members() -> list[type[BaseModel]]:
    union = get_args(RelationConfig)[0]
    return list(get_args(union)) or [union]


@pytest.mark.parametrize("member", members(), ids=lambda m: m.__name__)
def test_every_relation_keeps_the_contract(member: type[BaseModel]) -> None:
    check_relation(member())


class Faulty(Relation):
    """No relation, with a fault that can be chosen."""

    fault: str

    @override
    def forward(self, hidden: Tensor) -> Related:
        return Related(hidden[..., :3] if self.fault == "hidden layer must have" else hidden)

    @override
    def row_losses(self, losses: Tensor, seen: Seen) -> RowLosses:
        match self.fault:
            case "losses must be finite":
                return RowLosses(losses * torch.inf, seen.observed)
            case "order of the rows":
                return RowLosses(losses * torch.arange(len(losses)).view(-1, 1), seen.observed)
            case "gradient of the hidden layer":
                zero = seen.logits.sigmoid().mul(1 - seen.logits.sigmoid())
                return RowLosses(losses + zero.sqrt(), seen.observed)
            case "losses of the others":
                missing = (~seen.observed).sum() / seen.observed.numel()
                return RowLosses(losses + missing, seen.observed)
        return RowLosses(losses, seen.observed)

    @override
    def scores(self, logits: Tensor, scores: Tensor) -> Tensor:
        return 2 * scores if self.fault == "must be probabilities" else scores


class FaultyConfig:
    """Builds a relation with a fault."""

    def __init__(self, fault: str) -> None:
        self.fault = fault

    def build(self, graph: Dependencies, *, in_dim: int, generator: torch.Generator) -> Relation:
        del generator
        if self.fault == "generator that is passed in":
            torch.rand(1)
        relation = Faulty(graph, in_dim)
        relation.fault = self.fault
        return relation


@pytest.mark.parametrize(
    "fault",
    [
        "hidden layer must have",
        "losses must be finite",
        "order of the rows",
        "gradient of the hidden layer",
        "losses of the others",
        "must be probabilities",
        "generator that is passed in",
    ],
)
def test_every_fault_of_a_relation_is_named(fault: str) -> None:
    with pytest.raises(ContractError, match=fault):
        check_relation(FaultyConfig(fault))


def test_a_relation_without_fault_passes() -> None:
    check_relation(FaultyConfig("none"))


def test_another_graph_can_be_given() -> None:
    graph: Any = Dependencies(((), ()), (True, True), (False, False))
    check_relation(UnrelatedConfig(), graph=graph)

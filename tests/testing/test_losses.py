"""The checks of losses hold for ours, and find what is wrong with others."""

from collections.abc import Callable
from typing import Any, ClassVar, get_args

import pytest
import torch
from pydantic import BaseModel
from torch import Tensor
from typing_extensions import override

from paretorank.losses import Loss, Requests, SquaredError
from paretorank.tasks import BinaryTask, RankingConfig, Task, TaskConfig
from paretorank.testing import ContractError, check_loss

REQUIRED = {"label": "y", "n_levels": 12}
READS = {"d2q": {"duration_feature": "length_s"}}
LABELS = torch.tensor([[0.0, 2.0], [3.0, 1.0], [7.0, 0.0], [1.0, 11.0], [0.0, 4.0]])


def choices(member: type[BaseModel]) -> list[Task]:
    """Return the task once for every loss that it offers."""
    needed = {n: REQUIRED[n] for n, f in member.model_fields.items() if f.is_required()}
    if "loss" not in member.model_fields:
        return [member(**needed)]
    return [
        member(**needed, loss=name, **READS.get(name, {}))
        for name in get_args(member.model_fields["loss"].annotation)
    ]


RANKED = [
    BinaryTask(label="y", ranking=RankingConfig(kind=kind))
    for kind in get_args(RankingConfig.model_fields["kind"].annotation)
]
TASKS = [t for m in get_args(get_args(TaskConfig)[0]) for t in choices(m)] + RANKED


@pytest.mark.parametrize("task", TASKS, ids=lambda task: "-".join(map(str, task.loss_key())))
def test_every_loss_keeps_the_contract(task: Task) -> None:
    labels = (LABELS > 1).float() if task.label_kind == "binary" else LABELS
    check_loss(lambda: task.build_loss(n_tasks=2), labels)


class Faulty(SquaredError):  # noqa: N818 - an error to be minimised, none to be raised
    """The squared error with a fault that can be chosen."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault
        self.fitted = 0.0

    @override
    def forward(self, logit: Tensor, label: Tensor) -> Tensor:
        value = super().forward(logit, label)
        match self.fault:
            case "must have shape":
                return value.mean(dim=0)
            case "row alone":
                return value - value.mean()
            case "label 1.0 must be finite":
                return torch.where(label == 1, torch.inf, value)
            case "be NaN":
                return torch.where(logit.abs() > 40, torch.nan, value)
            case "all that `fit_` sets":
                return value + self.fitted
        return value

    @override
    def in_requests(self, logit: Tensor, label: Tensor, requests: Requests) -> Tensor:
        if self.fault == "must not change the losses of other rows":
            return self(logit, label) + logit.mean()
        return super().in_requests(logit, label, requests)

    @override
    def score(self, logit: Tensor) -> Tensor:
        return logit + 100 if self.fault == "lie among the labels" else logit

    @override
    def constant_logit(self, label: Tensor, weight: Tensor) -> Tensor:
        constant = super().constant_logit(label, weight)
        match self.fault:
            case "must not help":
                return constant + 1
            case "must not move":
                return label.mean(dim=0)
            case "be 0 for a task":
                return torch.where(weight.sum(dim=0) > 0, constant, 1.0)
        return constant

    @override
    def fit_(self, label: Tensor, weight: Tensor) -> None:
        self.fitted = 1.0


@pytest.mark.parametrize(
    "fault",
    [
        "must have shape",
        "row alone",
        "label 1.0 must be finite",
        "be NaN",
        "all that `fit_` sets",
        "lie among the labels",
        "must not help",
        "must not move",
        "be 0 for a task",
        "must not change the losses of other rows",
    ],
)
def test_every_fault_of_a_loss_is_named(fault: str) -> None:
    labels = LABELS + 0.5 if fault == "label 1.0 must be finite" else LABELS
    with pytest.raises(ContractError, match=fault):
        check_loss(lambda: Faulty(fault), labels)


def test_a_balance_factor_must_be_positive() -> None:
    class Negative(SquaredError):  # noqa: N818 - likewise
        balance_factor: ClassVar[float] = -1.0

    make: Callable[[], Loss] = Negative
    with pytest.raises(ContractError, match="`balance_factor`"):
        check_loss(make, LABELS)


def test_the_error_is_a_value_error() -> None:
    error: Any = ContractError
    assert issubclass(error, ValueError)

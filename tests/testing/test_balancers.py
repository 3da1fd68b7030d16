"""The checks of balancers hold for ours, and find what is wrong with others."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor, nn
from typing_extensions import override

from paretorank.balancing import BalancerConfig, GradientSection, LossBalancer, RowSection
from paretorank.testing import ContractError, check_balancer

ADAPTER: TypeAdapter[BalancerConfig] = TypeAdapter(BalancerConfig)
SETTINGS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "constant": ({"weights": {"a": 2.5}},),
    "cosmos": ({"weights": {"a": 2.5}},),
    "dwa": ({"window_steps": 2},),
    "pbi": ({"weights": {"a": 2.5}, "reference": {"a": 0.1}},),
    "prioritisation": (
        {"base_steps": 2, "window_steps": 2, "newest_share": 0.5},
        {"window_steps": 2, "base_losses": {"a": 0.5}, "ceilings": {"a": 0.5}},
    ),
    "scheduled": ({"window_steps": 3, "growth": {"a": 0.5}},),
    "static": ({"weights": {"a": 2.5}},),
    "stch": ({"weights": {"a": 2.5}, "reference": {"a": 0.1}},),
    "uncertainty": ({"form": "revised"}, {"starts_at_data": False}),
    "uw_o": ({"sums_to_one": False},),
    "uw_so": ({"first_steps": 3}, {"starts_at_one": False, "temperature": 20.0}),
}
KEEPS_WEIGHTS = "equal static scheduled constant mean sum random dwa prioritisation".split()
KEEPS_SHARES = "uncertainty uw_o uw_so geometric_mean famo".split()
HAS_CONSTANTS = "famo uw_o uw_so".split()
KINDS = sorted(
    str(member.model_fields["kind"].default)
    for member in get_args(get_args(BalancerConfig)[0])
    if not issubclass(member, GradientSection | RowSection)
)
CASES = [(kind, settings) for kind in KINDS for settings in ({}, *SETTINGS.get(kind, ()))]
FALSE_FOR_UNITS = ("form", "starts_at_data", "starts_at_one", "base_losses")


@pytest.mark.parametrize(("kind", "settings"), CASES, ids=str)
def test_every_balancer_keeps_the_contract(kind: str, settings: Mapping[str, Any]) -> None:
    promised = not any(name in settings for name in FALSE_FOR_UNITS)
    shares = "shares" if kind in KEEPS_SHARES else None
    check_balancer(
        ADAPTER.validate_python({"kind": kind, **settings}),
        unit_keeps=("weights" if kind in KEEPS_WEIGHTS else shares) if promised else None,
        is_random=kind == "random",
        stops_gradient=kind in HAS_CONSTANTS,
    )


def test_uncertainty_keeps_shares_only_where_its_variances_start_at_the_losses() -> None:
    cold = ADAPTER.validate_python({"kind": "uncertainty", "starts_at_data": False})
    with pytest.raises(ContractError, match="its share"):
        check_balancer(cold, unit_keeps="shares")


@pytest.mark.parametrize("kind", ["equal", "static", "dwa", "uw"])
def test_a_weighted_sum_does_not_keep_shares(kind: str) -> None:
    with pytest.raises(ContractError, match="its share"):
        check_balancer(ADAPTER.validate_python({"kind": kind}), unit_keeps="shares")


class Faulty(LossBalancer):
    """A sum with weights that are learned, with a fault that can be chosen."""

    memory: Tensor
    drawn: Tensor

    def __init__(self, fault: str, names: Sequence[str], generator: torch.Generator) -> None:
        super().__init__(names)
        self.fault = fault
        self.calls = 0
        self.logits = nn.ParameterList(nn.Parameter(torch.zeros(())) for _ in names)
        zeros = torch.zeros(len(names))
        self.vector = nn.Parameter(zeros.clone()) if fault == "knows of it" else None
        self.unused = nn.Parameter(zeros.clone()) if fault == "reach every parameter" else None
        self.register_buffer("memory", zeros)
        self.register_buffer("drawn", torch.rand(1, generator=generator))

    @override
    def forward(self, values: Tensor, /) -> Tensor:
        match self.fault:
            case "wrong number of losses":
                values = values[: len(self.task_names)]
            case "without any task must not change":
                self.memory += float(values.isnan().all())
            case "must have shape":
                return super().forward(values).unsqueeze(0)
        return super().forward(values)

    @override
    def total(self, values: Tensor, present: Tensor) -> Tensor:
        self.calls += 1
        total = (self._weights(values, present) * values[present]).sum()
        match self.fault:
            case "total must be finite":
                return total + torch.inf
            case "finite differences of the total":
                return (total.detach() + 1) * total
        return total

    def _weights(self, values: Tensor, present: Tensor) -> Tensor:
        tasks = present.nonzero().flatten().tolist()
        weights = torch.stack([self.logits[task] for task in tasks]).exp()
        match self.fault:
            case "order of the tasks":
                return weights * torch.arange(1, 1 + len(present))[present]
            case "not depend on the seed" | "random":
                return weights * (1 + self.drawn)
            case "draw random numbers from a generator":
                return weights * (1 + torch.rand(1))
            case "alone must be finite and above 0":
                return weights * (len(tasks) > 1)
            case "all that weights depend on":
                return weights * (1 + self.calls)
            case "stay finite":
                self.memory.add_(present).mul_(torch.where(present, 1e10, 1.0))
            case "finite beside an absent task":
                return weights * (torch.nan if len(present) == len(tasks) + 1 else 1.0)
            case "agree with finite differences":
                return 2 * weights - weights.detach()
            case "a constant":
                return weights / values.detach()[present]
        return weights if self.vector is None else weights * self.vector.exp()[present]

    @override
    def after_step(self, values: Tensor) -> None:
        if self.fault == "uses_losses_after_step":
            self.memory += values.nan_to_num(nan=0.0)


def faulty(fault: str) -> Any:
    def build(
        *, task_names: Sequence[str], balance_factors: Tensor, generator: torch.Generator
    ) -> Faulty:
        del balance_factors
        if fault == "`build` must draw":
            torch.rand(1)
        return Faulty(fault, task_names, generator)

    return build


@pytest.mark.parametrize(
    "fault",
    [
        "must have shape",
        "total must be finite",
        "wrong number of losses",
        "`build` must draw",
        "draw random numbers from a generator",
        "not depend on the seed",
        "alone must be finite and above 0",
        "finite beside an absent task",
        "knows of it",
        "without any task must not change",
        "uses_losses_after_step",
        "all that weights depend on",
        "stay finite",
        "reach every parameter",
        "agree with finite differences",
        "order of the tasks",
        "finite differences of the total",
    ],
)
def test_every_fault_of_a_balancer_is_named(fault: str) -> None:
    with pytest.raises(ContractError, match=f"(?i){fault}"):
        check_balancer(faulty(fault))


def test_a_random_balancer_must_depend_on_its_seed() -> None:
    check_balancer(faulty("random"), is_random=True)
    with pytest.raises(ContractError, match="Another seed"):
        check_balancer(faulty("none"), is_random=True)


def test_a_factor_that_counts_as_a_constant_has_to_be_declared() -> None:
    check_balancer(faulty("a constant"), stops_gradient=True)
    with pytest.raises(ContractError, match="finite differences of the total"):
        check_balancer(faulty("a constant"))


def test_a_balancer_without_fault_passes() -> None:
    check_balancer(faulty("none"))


def test_two_tasks_with_other_names_can_be_given() -> None:
    config = ADAPTER.validate_python({"kind": "static", "weights": {"click": 3.0}})
    check_balancer(config, task_names=("click", "like"), unit_keeps="weights")

"""The checks of architectures hold for ours, and find what is wrong with others."""

from typing import Any, ClassVar, get_args

import pytest
import torch
from pydantic import BaseModel
from torch import Tensor, nn
from typing_extensions import override

from paretorank.architectures import Architecture, ArchitectureConfig, SharedBottomConfig
from paretorank.architectures.base import Needs
from paretorank.architectures.shared_bottom import SharedBottom
from paretorank.blocks import NO_EXTRAS, Extras, Rows
from paretorank.blocks.grouped_rows import whole_rows
from paretorank.testing import ContractError, check_architecture, check_network

SMALL = {"expert_dims": (8,), "hidden_dims": (8,), "n_experts": 2, "prior": ("user", "item")}


def small(member: type[BaseModel]) -> BaseModel:
    return member(**{name: v for name, v in SMALL.items() if name in member.model_fields})


MEMBERS = list(get_args(get_args(ArchitectureConfig)[0]))


@pytest.mark.parametrize("member", MEMBERS, ids=lambda m: m.__name__)
def test_every_architecture_keeps_the_contract(member: type[BaseModel]) -> None:
    check_architecture(small(member))


def test_a_network_with_dropout_keeps_the_contract() -> None:
    check_architecture(SharedBottomConfig(hidden_dims=(8,), dropout_rate=0.3))


class Broken(Architecture):
    """One linear map for all tasks, with a fault that can be chosen."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.out_dim = 4
        self.fault = fault
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(6, 3, 4, generator=generator))
        self.unused = nn.Parameter(torch.zeros(1)) if fault == "every parameter" else None
        self.offset = 0.0

    @override
    def forward(self, x: Rows, extras: Extras = NO_EXTRAS) -> Tensor:
        rows = whole_rows(x)
        h = torch.einsum("bd,dth->bth", rows, self.weight)
        match self.fault:
            case "shape":
                return h.transpose(1, 2)
            case "row alone":
                return h - h.mean(dim=0)
            case "order of the rows":
                return h + torch.arange(len(h)).view(-1, 1, 1)
            case "generator that is passed in":
                return h + torch.rand(1)
            case "values of the whole rows":
                return h * (2 if isinstance(x, Tensor) else 1)
        return h

    @override
    def shared_parameters(self) -> list[nn.Parameter]:
        return [] if self.fault == "must not be empty" else [self.weight]

    @override
    def gate_weights(self, x: Rows, extras: Extras = NO_EXTRAS) -> Tensor | None:
        if self.fault != "add up to one":
            return None
        return torch.ones(len(whole_rows(x)), 3, 2, dtype=torch.float64)


def test_a_network_of_another_make_keeps_the_contract() -> None:
    check_network(Broken("none"), in_dim=6, n_tasks=3)


@pytest.mark.parametrize(
    "fault",
    [
        "shape",
        "row alone",
        "order of the rows",
        "every parameter",
        "values of the whole rows",
        "must not be empty",
        "add up to one",
        "generator that is passed in",
    ],
)
def test_every_fault_of_a_network_is_named(fault: str) -> None:
    with pytest.raises(ContractError, match=fault):
        check_network(Broken(fault), in_dim=6, n_tasks=3)


class FromTheGlobalGenerator:
    """A configuration whose networks depend on what was drawn before."""

    def build(self, **_: Any) -> Architecture:
        network = Broken("none")
        nn.init.normal_(network.weight)
        return network


class NotBySeed:
    """A configuration whose networks do not depend on the seed."""

    def build(self, **_: Any) -> Architecture:
        return Broken("none")


@pytest.mark.parametrize(
    ("config", "message"),
    [(FromTheGlobalGenerator(), "generator that is passed in"), (NotBySeed(), "Another seed")],
)
def test_networks_must_depend_on_their_seed_alone(config: Any, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        check_architecture(config)


def test_extras_go_with_their_rows() -> None:
    class Steered(SharedBottom):
        def forward(self, x: Rows, extras: Extras = NO_EXTRAS) -> Tensor:
            assert extras.prior is not None
            assert extras.by_task is not None
            return super().forward(x) + extras.prior.sum() * 0 + extras.by_task.mT.mean()

    class Config(SharedBottomConfig):
        def build(self, **arguments: Any) -> Steered:
            return Steered(self, **arguments)

    extras = Extras(torch.ones(3, 12, 6), torch.ones(12, 2))
    check_architecture(Config(hidden_dims=(8,)), extras=extras)


def test_extras_are_made_up_where_they_are_needed() -> None:
    class Steered(SharedBottom):
        def forward(self, x: Rows, extras: Extras = NO_EXTRAS) -> Tensor:
            assert extras.by_task is not None
            assert extras.prior is not None
            assert extras.by_task.shape[2] == 6
            assert extras.prior.shape[1] == 4
            return super().forward(x)

    class Config(SharedBottomConfig):
        needs: ClassVar[Needs] = Needs(own_tables=True, prior=("user", "item"))

        def build(self, *, prior_dims: tuple[int, ...], **arguments: Any) -> Steered:
            assert prior_dims == (2, 2)
            return Steered(self, **arguments)

    check_architecture(Config(hidden_dims=(8,)))

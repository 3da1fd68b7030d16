"""One level of customised gate control, and experts in groups."""

import pytest
import torch
from torch import Tensor

from paretorank.blocks import ExpertBank, ExpertGroups, ExtractionLevel, GateBank, GateSoftmax


def level(*, has_shared_gate: bool = True, n_own: int = 2, n_shared: int = 3) -> ExtractionLevel:
    made = ExtractionLevel(
        4,
        (6, 5),
        n_tasks=2,
        n_task_experts=n_own,
        n_shared_experts=n_shared,
        has_shared_gate=has_shared_gate,
        softmax=GateSoftmax(),
        generator=torch.Generator().manual_seed(0),
    ).double()
    with torch.no_grad():
        made.task_gates.weight.mul_(100)
    return made


def streams(n_streams: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(n_streams, 7, 4, generator=generator, dtype=torch.float64)


def test_a_gate_sees_its_own_experts_and_then_the_shared_ones() -> None:
    assert level().seen_by_task.tolist() == [[0, 1, 4, 5, 6], [2, 3, 4, 5, 6]]


def test_the_same_input_on_all_streams_is_the_same_as_one_input() -> None:
    x = streams(1)
    torch.testing.assert_close(level()(x.expand(3, -1, -1)), level()(x[0]))
    torch.testing.assert_close(
        level().task_weights(x.expand(3, -1, -1)), level().task_weights(x[0])
    )


def test_a_stream_of_a_task_is_the_mixture_that_its_weights_say() -> None:
    made, x = level(), streams()
    experts, weights = made.experts(x), made.task_weights(x)
    for task in range(2):
        seen = experts[:, made.seen_by_task[task]]
        mixed = (weights[:, task].unsqueeze(2) * seen).sum(dim=1)
        torch.testing.assert_close(made(x)[task], mixed)


def test_each_stream_is_read_by_its_own_experts_and_gate() -> None:
    made, x = level(has_shared_gate=False), streams()
    moved = x.clone()
    moved[1] += 1
    before, after = made(x), made(moved)
    assert torch.equal(before[0], after[0])
    assert not torch.equal(before[1], after[1])
    moved = x.clone()
    moved[2] += 1
    assert (made(moved) != before).any(dim=2).all()


def test_there_is_a_shared_stream_only_with_a_shared_gate() -> None:
    assert len(level(has_shared_gate=True)(streams())) == 3
    assert len(level(has_shared_gate=False)(streams())) == 2


@pytest.mark.parametrize(("n_own", "n_shared"), [(0, 2), (2, 0)])
def test_one_kind_of_expert_is_enough(n_own: int, n_shared: int) -> None:
    made = level(n_own=n_own, n_shared=n_shared, has_shared_gate=False)
    assert made(streams()[0]).shape == (2, 7, 5)
    groups = made.experts
    assert bool(groups.own_parameters()) == (n_own > 0)
    assert bool(groups.shared_parameters()) == (n_shared > 0)


def test_experts_in_groups_are_those_of_the_banks_on_their_streams() -> None:
    groups = ExpertGroups(
        4,
        (6, 5),
        n_groups=2,
        n_own=1,
        n_shared=2,
        n_shared_groups=2,
        generator=torch.Generator().manual_seed(0),
    ).double()
    x = streams(4)
    assert groups.stream_of_expert.tolist() == [0, 1, 2, 2, 3, 3]
    together = groups(x)
    assert groups.own is not None
    assert groups.shared is not None
    torch.testing.assert_close(together[:, :2], groups.own(x[:2]))
    for expert, stream in ((2, 2), (4, 3)):
        torch.testing.assert_close(
            together[:, expert : expert + 2],
            groups.shared(x[stream])[:, expert - 2 : expert],
        )


def test_inputs_of_their_own_are_read_expert_by_expert_and_gate_by_gate() -> None:
    generator = torch.Generator().manual_seed(0)
    bank, gates = (
        ExpertBank(4, (6,), 3, generator=generator),
        GateBank(4, 5, 3, generator=generator),
    )
    x = streams().float()
    for at in range(3):
        torch.testing.assert_close(bank(x)[:, at], bank(x[at])[:, at])
        torch.testing.assert_close(gates(x)[:, at], gates(x[at])[:, at])

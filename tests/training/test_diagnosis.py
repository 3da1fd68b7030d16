"""Looks at gradients: that they see what autograd sees, and that nobody notices them."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from paretorank.architectures import CGCConfig, HoMEConfig, MMoEConfig
from paretorank.balancing import EqualConfig, UncertaintyConfig, UPGradConfig
from paretorank.balancing.base import BalancerSection
from paretorank.data.batch import Batch
from paretorank.foundation.files import finite
from paretorank.training.diagnosis import diagnose
from tests.training.test_task_gradients import build, one_by_one, rows, run
from tests.training.test_trainer import Bench, Splits, changed

WEIGHTS = torch.tensor([1.0, 2.0, 3.0])


def without(*tasks: int) -> Batch:
    batch = rows()
    batch.observed[:, list(tasks)] = False
    return batch


def jacobians() -> tuple[Tensor, dict[str, Tensor]]:
    """Return the gradients of each task at the experts and at each shared tensor."""
    model = build(MMoEConfig(n_experts=2, expert_dims=(8, 6)))
    result, cut = run(model)
    assert cut.experts is not None
    names = {id(p): name for name, p in model.named_parameters()}
    shared = {names[id(p)]: one_by_one(result.losses, p) for p in model.shared_parameters()}
    return one_by_one(result.losses, cut.experts), shared


def test_lengths_angles_and_conflicts_are_those_of_autograd() -> None:
    facts = diagnose(build(MMoEConfig(n_experts=2, expert_dims=(8, 6))), rows()).facts(WEIGHTS)
    at_experts, shared = jacobians()
    whole = torch.cat(list(shared.values()), dim=1)
    for place, jacobian in (("representation", at_experts), ("parameters", whole)):
        found = facts[place]
        assert found["norm"]["rating"] == pytest.approx(float(jacobian[1].norm()))
        cosine = float(torch.cosine_similarity(jacobian[0], jacobian[2], dim=0))
        assert found["cosine"]["click"]["like"] == pytest.approx(cosine)
        assert found["cosine"]["like"]["click"] == pytest.approx(cosine)
    assert facts["conflicts"].keys() == shared.keys()
    for name, jacobian in shared.items():
        products = (jacobian @ jacobian.T)[[0, 0, 1], [1, 2, 2]]
        assert facts["conflicts"][name] == pytest.approx(float((products < 0).double().mean()))
    assert facts["task_weight"] == {"click": 1.0, "rating": 2.0, "like": 3.0}


def test_absent_tasks_are_null() -> None:
    model = build(MMoEConfig(n_experts=2, expert_dims=(8, 6)))
    facts = finite(diagnose(model, without(1)).facts(torch.tensor([1.0, torch.nan, 1.0])))
    assert facts["task_weight"]["rating"] is None
    for place in ("representation", "parameters"):
        assert facts[place]["norm"]["rating"] is None
        assert facts[place]["cosine"]["click"]["rating"] is None
        assert facts[place]["norm"]["click"] > 0
        assert facts[place]["conflicts"] in {0.0, 1.0}


@pytest.mark.parametrize("absent", [(0, 1), (0, 1, 2)])
def test_where_no_pair_is_present_there_is_no_share_of_conflicts(absent: tuple[int, ...]) -> None:
    model = build(MMoEConfig(n_experts=2, expert_dims=(8, 6)))
    facts = finite(diagnose(model, without(*absent)).facts(WEIGHTS))
    assert facts["parameters"]["conflicts"] is None
    assert set(facts["conflicts"].values()) == {None}


def test_a_look_leaves_no_gradient_behind() -> None:
    model = build(MMoEConfig(n_experts=2, expert_dims=(8, 6)))
    diagnose(model, rows())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_look_moves_no_running_statistics() -> None:
    model = build(HoMEConfig()).train()
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    assert any(name.endswith("running_mean") for name in before)
    diagnose(model, rows())
    for name, buffer in model.named_buffers():
        assert torch.equal(buffer, before[name]), name


def test_where_no_parameters_are_shared_there_is_a_look_at_the_representation() -> None:
    model = build(CGCConfig(expert_dims=(8,), n_shared_experts=0))
    facts = finite(diagnose(model, rows()).facts(WEIGHTS))
    assert facts["representation"]["norm"]["click"] > 0
    assert facts["conflicts"] == {}
    assert set(facts["parameters"]["norm"].values()) == {0.0}


@pytest.mark.parametrize("balancer", [EqualConfig(), UncertaintyConfig(), UPGradConfig()])
def test_a_run_that_is_watched_ends_in_the_same_bytes(
    splits: Splits, tmp_path: Path, balancer: BalancerSection
) -> None:
    states = []
    for every in (0, 3):
        config = changed(diagnose_every_steps=every)
        bench = Bench(splits, tmp_path / str(every), config, balancer=balancer)
        bench.fit()
        looks = bench.log("gradients")
        assert [look["step"] for look in looks] == ([3, 6, 9, 12] if every else [])
        state = {**bench.trainer.model.state_dict(), **bench.trainer.optimizers.state()}
        states.append({name: tensor.numpy().tobytes() for name, tensor in state.items()})
    assert states[0] == states[1]

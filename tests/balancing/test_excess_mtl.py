"""Weights by what there is still to gain."""

import pytest
import torch
from pydantic import ValidationError
from torchjd.aggregation import ExcessMTL as Theirs

from paretorank.balancing import ExcessMTLConfig
from tests.balancing.gradients import assert_close, build, draw

TASKS = torch.tensor([0, 1, 2])


def test_directions_are_those_of_torchjd_over_steps() -> None:
    balancer = build(ExcessMTLConfig(n_warmup_steps=2, step_size=0.3), 3)
    theirs = Theirs(0.3, n_warmup_steps=2)
    for step in range(6):
        jacobian = draw(3, seed=step)
        assert_close(balancer(jacobian, TASKS), theirs(jacobian), 1e-5)
    assert float(balancer.logits.std()) > 0.01


def test_an_absent_task_keeps_its_state() -> None:
    balancer = build(ExcessMTLConfig(n_warmup_steps=1), 3)
    for step in range(3):
        balancer(draw(3, seed=step), TASKS)
    before = {name: value.clone() for name, value in balancer.state_dict().items()}
    balancer(draw(2, seed=9), torch.tensor([0, 2]))
    for name, value in balancer.state_dict().items():
        assert torch.equal(value[1], before[name][1])
        assert not torch.equal(value[0], before[name][0]) or name == "baselines"


def test_a_resumed_run_goes_on_as_if_it_had_not_stopped() -> None:
    first = build(ExcessMTLConfig(n_warmup_steps=1), 3)
    for step in range(3):
        first(draw(3, seed=step), TASKS)
    second = build(ExcessMTLConfig(n_warmup_steps=1), 3)
    second.load_state_dict({name: value.clone() for name, value in first.state_dict().items()})
    assert torch.equal(second(draw(3, seed=8), TASKS), first(draw(3, seed=8), TASKS))


@pytest.mark.parametrize("scale", [0.0, 1e-6, 1e6])
def test_extreme_gradients_leave_the_direction_finite(scale: float) -> None:
    balancer = build(ExcessMTLConfig(n_warmup_steps=1), 3).float()
    jacobian = draw(3).float()
    jacobian[0] *= scale
    for _ in range(3):
        assert balancer(jacobian, TASKS).isfinite().all()


def test_a_place_whose_size_changes_from_batch_to_batch_is_refused() -> None:
    with pytest.raises(ValidationError, match="last_layer"):
        ExcessMTLConfig.model_validate({"at": "representation"})

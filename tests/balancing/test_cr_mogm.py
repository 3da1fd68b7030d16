"""Weights averaged over steps."""

import pytest
import torch
from pydantic import ValidationError
from torchjd.aggregation import CRMOGMWeighting, MGDAWeighting

from paretorank.balancing import CRMOGMConfig, MGDAFrankWolfeConfig, UPGradConfig
from tests.balancing.gradients import assert_close, build, draw, seen


def test_weights_are_those_of_torchjd_over_steps() -> None:
    balancer = build(CRMOGMConfig(alpha=0.7, of=MGDAFrankWolfeConfig()), 3)
    weighting = CRMOGMWeighting(MGDAWeighting(), alpha=0.7)
    for step in range(4):
        jacobian = draw(3, seed=step)
        assert_close(balancer.weigh(seen(jacobian)), weighting(jacobian @ jacobian.T), 1e-9)


def test_an_absent_task_keeps_its_average_and_a_new_one_starts_with_its_weight() -> None:
    balancer = build(CRMOGMConfig(alpha=0.5), 3)
    first = balancer.weigh(seen(torch.eye(2, 4).double(), tasks=[0, 1]))
    assert_close(first, [0.5, 0.5])
    second = balancer.weigh(seen(torch.eye(3, 4).double()[[0, 2]], tasks=[0, 2]))
    assert_close(second, [0.5, 0.5])
    third = balancer.weigh(seen(torch.eye(3, 4).double()))
    assert_close(third, [5 / 12, 5 / 12, 5 / 12])


def test_the_state_of_the_inner_method_is_saved_with_its_own() -> None:
    balancer = build(CRMOGMConfig(), 3)
    for step in range(3):
        balancer(seen(draw(3, seed=step)))
    resumed = build(CRMOGMConfig(), 3)
    resumed.load_state_dict(balancer.state_dict())
    assert torch.equal(resumed(seen(draw(3, seed=5))), balancer(seen(draw(3, seed=5))))
    assert int(resumed.inner.n_calls) == 4


def test_places_are_said_once() -> None:
    with pytest.raises(ValidationError, match="belong to cr_mogm itself"):
        CRMOGMConfig(of=UPGradConfig(at="parameters"))

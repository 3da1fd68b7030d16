"""Preferences that are drawn, and what they do to losses."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from paretorank.balancing import EqualConfig, LossBalancer, PreferenceConfig, PreferenceDraws
from paretorank.foundation.errors import ConfigError

NAMES = ("a", "b", "c")
NAN = float("nan")
VALUES: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "values" / "balancing.json").read_text()
)["preference"]


def build(seed: int = 0, **settings: Any) -> PreferenceDraws:
    balancer = PreferenceConfig(**settings).build(
        task_names=NAMES,
        balance_factors=torch.ones(3),
        generator=torch.Generator().manual_seed(seed),
    )
    return balancer.double()


def weights(balancer: LossBalancer, *values: float) -> tuple[float, list[float]]:
    losses = torch.tensor(values, dtype=torch.float64, requires_grad=True)
    total = balancer(losses)
    total.backward()
    assert losses.grad is not None
    return float(total.detach()), losses.grad.tolist()


def preferring(balancer: PreferenceDraws, *shares: float) -> PreferenceDraws:
    balancer.preference = torch.tensor(shares, dtype=torch.float64)
    return balancer


def test_the_weighted_sum_and_its_weights() -> None:
    balancer = preferring(build(normalise=False), 0.2, 0.5, 0.3)
    total, found = weights(balancer, 0.7, 2.0, 0.1)
    assert total == pytest.approx(0.2 * 0.7 + 0.5 * 2.0 + 0.3 * 0.1)
    assert found == pytest.approx([0.2, 0.5, 0.3])


def test_the_cosine_has_its_pinned_value_and_weights() -> None:
    pinned = VALUES["cosmos"]
    balancer = build(scalarisation="cosmos", cosine_penalty=pinned["lambda_"], normalise=False)
    total, found = weights(preferring(balancer, *VALUES["preference"]), *VALUES["losses"])
    assert total == pytest.approx(pinned["value"], abs=1e-9)
    assert found == pytest.approx(pinned["grad"], abs=1e-9)


def test_the_smooth_maximum_has_its_pinned_value_and_weights() -> None:
    pinned = VALUES["smooth_tchebycheff"]
    reference = dict(zip(NAMES, pinned["reference"], strict=True))
    balancer = build(
        scalarisation="tchebycheff", mu=pinned["mu"], reference=reference, normalise=False
    )
    total, found = weights(preferring(balancer, *pinned["weights"]), *VALUES["losses"])
    # the reference is held in float32
    assert total == pytest.approx(pinned["value"], abs=1e-7)
    assert found == pytest.approx(pinned["grad"], abs=1e-7)


def test_preferences_are_shares_that_change_with_every_step_and_with_the_seed() -> None:
    one, two = build(), build(seed=1)
    drawn = torch.stack([one.draw_preference() for _ in range(400)])
    torch.testing.assert_close(drawn.sum(dim=1), torch.ones(400, dtype=torch.float64))
    assert len(drawn.unique(dim=0)) == 400
    assert drawn.mean(dim=0).tolist() == pytest.approx([1 / 3] * 3, abs=0.04)
    assert not torch.equal(drawn[0], two.draw_preference())


def spread(alpha: float) -> float:
    balancer = build(alpha=alpha)
    drawn = torch.stack([balancer.draw_preference() for _ in range(200)])
    return float(drawn.amax(dim=1).mean())


def test_a_small_alpha_draws_single_tasks_and_a_large_one_the_middle() -> None:
    assert spread(0.05) > 0.9 > spread(1.0) > 0.45 > spread(50.0)


def test_a_resumed_balancer_draws_the_preferences_that_come_next() -> None:
    one, two = build(), build(seed=7)
    for _ in range(3):
        one.draw_preference()
        weights(one, 1.0, 2.0, 3.0)
    two.load_state_dict(one.state_dict())
    for _ in range(3):
        assert torch.equal(one.draw_preference(), two.draw_preference())
        assert weights(one, 0.5, 1.0, 2.0) == weights(two, 0.5, 1.0, 2.0)


def test_losses_count_relative_to_their_size_in_the_first_steps() -> None:
    balancer = preferring(build(initial_steps=2), 0.2, 0.3, 0.5)
    assert weights(balancer, 4.0, 0.1, NAN)[1] == pytest.approx([0.2 / 4, 0.3 / 0.1, 0.0])
    assert weights(balancer, 2.0, 0.1, -5.0)[1] == pytest.approx([0.2 / 4, 3.0, 0.5 / 5])
    for _ in range(2):  # two steps have been counted for the first two tasks
        assert weights(balancer, 1.0, 0.9, -15.0)[1][:2] == pytest.approx([0.2 / 3, 3.0])
    assert balancer.initial_count.tolist() == [2, 2, 2]
    assert weights(balancer, 1.0, 0.9, -99.0)[1][2] == pytest.approx(0.5 / 10)


def test_the_reference_is_in_the_unit_of_the_loss() -> None:
    settings: dict[str, Any] = {"scalarisation": "tchebycheff", "reference": {"a": 1.0}}
    scaled, plain = build(**settings), build(**{**settings, "reference": {"a": 0.25}})
    weights(scaled, 4.0, 1.0, 1.0)
    weights(plain, 1.0, 1.0, 1.0)
    assert weights(scaled, 2.0, 1.0, 1.0)[0] == pytest.approx(weights(plain, 0.5, 1.0, 1.0)[0])


@pytest.mark.parametrize("scalarisation", ["linear", "cosmos", "tchebycheff"])
def test_all_preference_may_lie_with_an_absent_task(scalarisation: str) -> None:
    balancer = preferring(build(scalarisation=scalarisation), 0.0, 1.0, 0.0)
    total, found = weights(balancer, 0.7, NAN, 2.0)
    assert found == [0.0, 0.0, 0.0]
    assert torch.tensor(total).isfinite()


def test_the_share_of_an_absent_task_is_not_given_to_others() -> None:
    balancer = preferring(build(normalise=False), 0.2, 0.5, 0.3)
    assert weights(balancer, 0.7, NAN, 0.1)[1] == pytest.approx([0.2, 0.0, 0.3])


def test_other_balancers_draw_nothing() -> None:
    equal: Any = EqualConfig().build(
        task_names=NAMES, balance_factors=torch.ones(3), generator=torch.Generator()
    )
    drawn: Tensor | None = equal.draw_preference()
    assert drawn is None


def test_a_reference_names_tasks() -> None:
    with pytest.raises(ConfigError, match="reference"):
        build(reference={"zebra": 1.0})

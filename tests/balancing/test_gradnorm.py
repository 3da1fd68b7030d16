"""GradNorm: numbers of the equations, absent tasks, and what public code got wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from paretorank.balancing import GradNorm, GradNormConfig, SeenGradients
from paretorank.foundation.errors import ConfigError, TrainingError

VALUES: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "values" / "gradnorm.json").read_text()
)
NORMS = VALUES["raw_grad_norms_at_last_shared"]


def double(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def seen(norms: list[float], losses: list[float], tasks: list[int] | None = None) -> SeenGradients:
    places = torch.arange(len(norms)) if tasks is None else torch.tensor(tasks)
    return SeenGradients(double(norms).square().diag(), double(losses), places)


def build(n_tasks: int = 2, **settings: Any) -> GradNorm:
    names = ("a", "b", "c")[:n_tasks]
    return GradNorm(GradNormConfig(**settings), names).double()


def by_hand(**settings: Any) -> GradNorm:
    """Return a balancer in the state of the recorded numbers."""
    known = dict(zip(("a", "b"), VALUES["initial_losses"], strict=True))
    balancer = build(optimizer="sgd", learning_rate=VALUES["lr"], initial_losses=known, **settings)
    balancer.next_weights.copy_(double(VALUES["w"]))
    return balancer


def test_a_step_agrees_with_the_equations() -> None:
    balancer = by_hand(alpha=VALUES["alpha"])
    used = balancer(seen(NORMS, VALUES["losses"]))
    assert torch.equal(used, double(VALUES["w"]))
    expected = double(VALUES["w_after_renorm_sum_to_K"])
    torch.testing.assert_close(balancer.next_weights, expected, rtol=1e-9, atol=0)


def test_every_task_has_a_target_of_its_own() -> None:
    """With one target for all, a power of the mean loss, the second weight would fall too."""
    lengths, losses = [0.95, 1.1], [0.6, 0.9]
    mean = double(lengths).mean()
    own = mean * (double(losses) / double(losses).mean()) ** 1.5
    wrong = mean * double(losses).mean() ** 1.5
    assert lengths[0] > own[0]
    assert wrong < lengths[1] < own[1]
    balancer = build(optimizer="sgd", initial_losses={"a": 1.0, "b": 1.0})
    balancer(seen(lengths, losses))
    assert balancer.next_weights[1] > 1 > balancer.next_weights[0]


def test_the_target_is_a_constant() -> None:
    """The slopes are the lengths of gradients with a sign: nothing comes through the target."""
    balancer = by_hand(alpha=1.5)
    balancer(seen(NORMS, VALUES["losses"]))
    before = double(VALUES["w"]) - VALUES["lr"] * double(VALUES["dL_grad_dw"])
    expected = before * 2 / before.sum()
    torch.testing.assert_close(balancer.next_weights, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_lengths_become_alike(optimizer: str) -> None:
    balancer = build(3, alpha=0.0, optimizer=optimizer)
    norms = [2.0, 1.0, 0.5]
    for _ in range(800):
        weights = balancer(seen(norms, [1.0, 1.0, 1.0]))
    lengths = weights * double(norms)
    assert float(lengths.max() / lengths.min()) == pytest.approx(1.0, abs=0.15)
    assert float(weights.sum()) == pytest.approx(3.0)


def test_a_task_that_is_behind_gains_weight() -> None:
    balancer = build(initial_steps=1)
    balancer(seen([1.0, 1.0], [1.0, 1.0]))
    for _ in range(20):
        balancer(seen([1.0, 1.0], [0.9, 0.3]))
    assert balancer.next_weights[0] > 1.1


def test_weights_begin_at_one_and_stay_above_zero_and_sum_to_the_number_of_tasks() -> None:
    balancer = build(learning_rate=0.5)
    assert balancer(seen([1e3, 1e-3], [1.0, 1.0])).tolist() == [1.0, 1.0]
    for _ in range(50):
        weights = balancer(seen([1e3, 1e-3], [1.0, 1.0]))
        assert float(weights.min()) > 0
        assert float(weights.sum()) == pytest.approx(2.0)


def test_an_absent_task_keeps_its_state_and_leaves_no_trace_in_the_others() -> None:
    balancer, alone = build(3, initial_steps=2), build(2, initial_steps=2)
    balancer(seen([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]))
    alone.next_weights.copy_(balancer.next_weights[[0, 2]])
    for name in ("initial_sum", "initial_count", "first_moment", "second_moment", "n_updates"):
        getattr(alone, name).copy_(getattr(balancer, name)[[0, 2]])
    before = {name: value.clone() for name, value in balancer.state_dict().items()}
    for _ in range(3):
        weights = balancer(seen([1.0, 3.0], [0.5, 2.0], [0, 2]))
        assert weights[1] == 0
        assert torch.equal(weights[[0, 2]], alone(seen([1.0, 3.0], [0.5, 2.0])))
    for name, value in balancer.state_dict().items():
        if value.shape == (3,):
            assert value[1] == before[name][1]
            assert name == "weights" or not torch.equal(value, before[name])
    assert float(balancer.next_weights.sum()) == pytest.approx(3.0)


def test_the_first_loss_is_a_mean_over_the_first_steps_with_rows() -> None:
    balancer = build(initial_steps=2)
    balancer(seen([1.0], [4.0], [0]))
    balancer(seen([1.0, 1.0], [2.0, 5.0]))
    balancer(seen([1.0, 1.0], [9.0, 1.0]))
    assert (balancer.initial_sum / balancer.initial_count).tolist() == [3.0, 3.0]
    assert balancer.initial_count.tolist() == [2.0, 2.0]


def test_state_survives_saving_and_loading() -> None:
    balancer, restored = build(), build()
    for shrink in (1.0, 0.8, 0.7):
        balancer(seen([1.0, 2.0], [shrink, 1.0]))
    restored.load_state_dict(balancer.state_dict())
    for _ in range(3):
        one, two = (each(seen([1.5, 2.0], [0.5, 0.9])) for each in (balancer, restored))
        assert torch.equal(one, two)
    assert not torch.equal(one, build()(seen([1.5, 2.0], [0.5, 0.9])))


@pytest.mark.parametrize("losses", [[0.0, 1.0], [0.0, 0.0]])
def test_a_loss_of_zero_and_a_gradient_of_zero_are_no_trouble(losses: list[float]) -> None:
    balancer = build()
    for _ in range(3):
        assert balancer(seen([0.0, 0.0], losses)).isfinite().all()


def test_a_negative_loss_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"-0\.5 for task 'b'"):
        build()(seen([1.0, 1.0], [1.0, -0.5]))


def test_first_losses_of_tasks_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"balancer\.initial_losses.*'z'"):
        build(initial_losses={"z": 1.0})

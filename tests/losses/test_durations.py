"""Values of the losses of durations with several outputs or a power of the mean."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.metrics import mean_tweedie_deviance
from torch import Tensor

from paretorank.losses import (
    Cread,
    HeteroscedasticLogNormal,
    LogNormal,
    ProgressiveTree,
    Tweedie,
    ZeroInflatedLogNormal,
)
from paretorank.losses.exponents import bounded_exp
from paretorank.losses.lognormal_heteroscedastic import output_of

VALUES: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "values" / "losses.json").read_text()
)


def double(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def column(*values: float) -> Tensor:
    return double(values).unsqueeze(1)


def test_zero_inflated_log_normal_has_the_pinned_values() -> None:
    pinned = VALUES["ziln"]
    outputs = double([[[pinned["p_positive"], pinned["mu"], pinned["sigma"]]]])
    outputs[..., 0].logit_()
    outputs[..., 2] = output_of(outputs[..., 2])
    loss = ZeroInflatedLogNormal(1).double()
    assert float(loss.score(outputs)) == pytest.approx(pinned["mean"], abs=1e-9)
    nll = loss(outputs.expand(2, 1, 3), column(0, 5))
    torch.testing.assert_close(nll, column(pinned["nll_y0"], pinned["nll_y5"]), rtol=0, atol=1e-9)


def test_zero_inflated_log_normal_agrees_with_scipy() -> None:
    rng = np.random.default_rng(0)
    chance, mean, std = rng.uniform(0.1, 0.9, 50), rng.normal(2, 1, 50), rng.uniform(0.2, 2, 50)
    watch = rng.uniform(0.01, 90, 50)
    outputs = torch.from_numpy(np.stack([np.log(chance / (1 - chance)), mean, std], axis=1))
    outputs[:, 2] = output_of(outputs[:, 2])
    found = ZeroInflatedLogNormal(1).double()(
        outputs.unsqueeze(1), torch.from_numpy(watch)[:, None]
    )
    expected = -np.log(chance) - stats.lognorm.logpdf(watch, std, scale=np.exp(mean))
    np.testing.assert_allclose(found.numpy()[:, 0], expected, rtol=1e-9)


def test_a_spread_that_no_row_changes_is_the_plain_log_normal() -> None:
    plain, own = LogNormal(1).double(), HeteroscedasticLogNormal(1).double()
    label = column(0, 3, 40)
    weight = torch.ones_like(label)
    plain.fit_(label, weight)
    own.fit_(label, weight)
    outputs = own.constant_logit(label, weight).expand(3, 1, 2)
    constant = plain.constant_logit(label, weight).expand(3, 1)
    torch.testing.assert_close(own(outputs, label), plain(constant, label).detach())
    torch.testing.assert_close(own.score(outputs), plain.score(constant).detach())


@pytest.mark.parametrize("power", [1.1, 1.5, 1.9])
def test_tweedie_is_half_the_deviance_of_scikit_learn(power: float) -> None:
    label, mean = np.array([0.0, 1.0, 8.0]), np.array([2.0, 0.5, 6.0])
    loss = Tweedie(1, power=power).double()
    found = loss(torch.from_numpy(np.log(mean))[:, None], torch.from_numpy(label)[:, None])
    of_label = label ** (2 - power) / ((1 - power) * (2 - power))
    for at in range(3):
        deviance = mean_tweedie_deviance(label[[at]], mean[[at]], power=power)
        assert float(found[at]) + of_label[at] == pytest.approx(deviance / 2)


def test_the_unit_of_tweedie_does_not_change_its_scores() -> None:
    loss, label = Tweedie(1).double(), column(0, 10, 50)
    loss.fit_(label, torch.ones_like(label))
    constant = loss.constant_logit(label, torch.ones_like(label))
    assert float(constant) == pytest.approx(0.0)
    assert float(loss.score(constant)) == pytest.approx(20.0)
    assert float(loss.score(constant + 9)) == 50.0


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_a_power_without_zeros_and_tail_is_refused(power: float) -> None:
    with pytest.raises(ValueError, match="`power` must lie between 1 and 2"):
        Tweedie(1, power=power)


def test_the_bounded_exponential_goes_on_as_its_tangent() -> None:
    x = double([-3.0, 2.0, 5.0]).requires_grad_()
    value = bounded_exp(x, 2.0)
    torch.testing.assert_close(value.detach(), double([math.exp(-3), math.e**2, 4 * math.e**2]))
    value.sum().backward()
    torch.testing.assert_close(x.grad, double([math.exp(-3), math.e**2, math.e**2]))


def pinned_staircase(chances: list[float], **weights: float) -> tuple[Cread, Tensor]:
    """Return a loss with the pinned thresholds and the plain widths, and outputs for it."""
    edges = double(VALUES["cread"]["thresholds"])
    loss = Cread(1, n_steps=4, **weights).double()
    loss.starts.copy_(edges[:-1])
    loss.widths.copy_(edges.diff())
    return loss, double(chances).logit().view(1, 1, 4)


def test_the_staircase_has_the_pinned_values() -> None:
    pinned = VALUES["cread"]
    loss, outputs = pinned_staircase(pinned["p_exceed"], restoration_weight=0.0, order_weight=0.0)
    assert float(loss.score(outputs)) == pytest.approx(pinned["restored"])
    assert float(loss(outputs, column(pinned["y"]))) == pytest.approx(pinned["ce_loss"], abs=1e-9)


def test_rising_chances_are_penalised_and_scored_as_if_they_did_not_rise() -> None:
    pinned = VALUES["cread"]
    label = column(pinned["y"])
    plain, outputs = pinned_staircase(
        pinned["violating_p"], restoration_weight=0.0, order_weight=0.0
    )
    strict, _ = pinned_staircase(pinned["violating_p"], restoration_weight=0.0, order_weight=1.0)
    penalty = float(strict(outputs, label) - plain(outputs, label))
    assert penalty == pytest.approx(pinned["violating_penalty"])
    falling = [0.5, 0.5, 0.3, 0.3]
    widths = [3, 5, 7, 25]
    expected = sum(p * w for p, w in zip(falling, widths, strict=True))
    assert float(plain.score(outputs)) == pytest.approx(expected)


def test_restoration_counts_the_error_in_units_of_the_mean() -> None:
    pinned = VALUES["cread"]
    parts = []
    for weight in (0.0, 1.0):
        loss, outputs = pinned_staircase(pinned["p_exceed"], restoration_weight=weight)
        loss.unit.fill_(2.0)
        parts.append(float(loss(outputs, column(pinned["y"]))))
    error = (pinned["restored"] - pinned["y"]) / 2.0
    assert parts[1] - parts[0] == pytest.approx(error**2 / 2)


def test_steps_are_quantiles_of_the_positive_labels() -> None:
    label = column(0, 0, 0, 0, 1, 2, 3, 4)
    loss = Cread(1, n_steps=2).double()
    loss.fit_(label, torch.ones_like(label))
    assert loss.starts.tolist() == [[0.0, 2.0]]
    assert loss.widths.tolist() == [[(1 + 2 + 2 + 2) / 4, (1 + 2) / 2]]
    constant = loss.constant_logit(label, torch.ones_like(label))
    torch.testing.assert_close(constant.sigmoid(), double([[0.5, 0.25]]))
    assert float(loss.score(constant)) == pytest.approx(10 / 8)
    assert float(loss.score(torch.full((1, 1, 2), 50.0))) == pytest.approx(3.25)


def pinned_tree() -> tuple[ProgressiveTree, Tensor]:
    pinned = VALUES["tpm"]
    loss = ProgressiveTree(1, depth=2).double()
    loss.edges.copy_(double([4.0, 8.0, 20.0]))
    loss.leaf_means.copy_(double(pinned["leaf_mean"]))
    return loss, double(pinned["node_right_prob"]).logit().view(1, 1, 3)


def test_the_tree_has_the_pinned_values() -> None:
    pinned = VALUES["tpm"]
    loss, outputs = pinned_tree()
    assert float(loss.score(outputs)) == pytest.approx(pinned["mean"])
    for leaf, chance in enumerate(pinned["leaf_prob"]):
        nll = loss(outputs, column(pinned["leaf_mean"][leaf]))
        assert float(nll) == pytest.approx(-math.log(chance))
    assert float(loss(outputs, column(12))) == pytest.approx(pinned["nll_leaf2"], abs=1e-9)


def test_a_label_on_an_edge_belongs_to_the_left_leaf() -> None:
    loss, _ = pinned_tree()
    assert loss.leaf_of(column(0, 4, 4.1, 20, 21)).flatten().tolist() == [0, 0, 1, 2, 3]


def test_leaves_are_quantiles_and_zeros_have_their_own_if_there_are_many() -> None:
    loss = ProgressiveTree(2, depth=2).double()
    some, many = torch.arange(1.0, 9).double(), double([0, 0, 0, 0, 0, 3, 6, 9])
    label = torch.stack([some, many], dim=1)
    loss.fit_(label, torch.ones_like(label))
    assert loss.edges.tolist() == [[2.0, 4.0, 6.0], [0.0, 3.0, 6.0]]
    assert loss.leaf_means.tolist() == [[1.5, 3.5, 5.5, 7.5], [0.0, 3.0, 6.0, 9.0]]
    constant = loss.constant_logit(label, torch.ones_like(label))
    torch.testing.assert_close(loss.score(constant), label.mean(dim=0))


def test_an_empty_leaf_does_not_break_the_order_of_the_means() -> None:
    loss = ProgressiveTree(1, depth=3).double()
    label = column(5, 5, 5, 7)
    loss.fit_(label, torch.ones_like(label))
    assert (loss.leaf_means.diff(dim=1) >= 0).all()
    constant = loss.constant_logit(label, torch.ones_like(label))
    assert float(loss.score(constant)) == pytest.approx(5.5, abs=1e-4)


@pytest.mark.parametrize(
    "loss", [HeteroscedasticLogNormal(1), ZeroInflatedLogNormal(1), Tweedie(1)], ids=repr
)
def test_no_score_is_above_the_longest_observed_duration(
    loss: HeteroscedasticLogNormal | ZeroInflatedLogNormal | Tweedie,
) -> None:
    loss.fit_(torch.tensor([[5.0], [40.0], [900.0]]), torch.tensor([[1.0], [1.0], [0.0]]))
    n_outputs = loss.n_outputs
    outputs = torch.full((1, 1) if n_outputs == 1 else (1, 1, n_outputs), 50.0)
    assert float(loss.score(outputs)) == 40.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HeteroscedasticLogNormal(1, shift=-1.0), "`shift` must not be negative"),
        (lambda: Cread(1, n_steps=0), "`n_steps` must be at least 1"),
        (lambda: ProgressiveTree(1, depth=0), "`depth` must be at least 1"),
    ],
)
def test_impossible_settings_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()

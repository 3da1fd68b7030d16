"""Values of the losses of levels, counts and quantiles."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from paretorank.losses import NegativeBinomial, Ordinal, Poisson, Quantile
from paretorank.losses.quantiles import weighted_quantiles

VALUES: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "values" / "losses.json").read_text()
)


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).unsqueeze(1)


def pinned_ordinal() -> Ordinal:
    """Return a loss with the pinned thresholds, found by fitting to the shares they imply."""
    pinned = VALUES["ordinal"]
    above = [1 / (1 + math.exp(c)) for c in pinned["thresholds"]]
    shares = -np.diff([1.0, *above, 0.0])
    loss = Ordinal(1, 4).double()
    loss.fit_(column(0, 1, 2, 3), torch.from_numpy(shares).unsqueeze(1))
    return loss


def test_levels_have_the_pinned_probabilities() -> None:
    pinned, loss = VALUES["ordinal"], pinned_ordinal()
    label = column(0, 1, 2, 3)
    probability = (-loss(torch.full_like(label, pinned["logit"]), label)).exp().detach()
    torch.testing.assert_close(probability, column(*pinned["probability"]), rtol=0, atol=1e-5)
    score = float(loss.score(column(pinned["logit"])).detach())
    assert score == pytest.approx(pinned["expected_level"], abs=1e-5)


@pytest.mark.parametrize("n_levels", [2, 3, 12])
def test_the_probabilities_of_all_levels_add_up_to_one(n_levels: int) -> None:
    loss = Ordinal(1, n_levels).double()
    with torch.no_grad():
        loss.threshold_bias.copy_(torch.linspace(-1, 2, n_levels - 1, dtype=torch.float64))
    label = torch.arange(n_levels, dtype=torch.float64).unsqueeze(1)
    for logit in (-3.0, 0.0, 5.0):
        chance = (-loss(torch.full_like(label, logit), label)).exp()
        assert float(chance.sum().detach()) == pytest.approx(1)
        mean = float((chance * label).sum().detach())
        assert float(loss.score(column(logit)).detach()) == pytest.approx(mean)


def test_two_levels_are_cross_entropy_with_a_moved_logit() -> None:
    loss = Ordinal(1, 2).double()
    loss.fit_(column(0, 1), column(3, 1))
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        column(0.4 - math.log(3)).expand(2, 1), column(0, 1), reduction="none"
    )
    torch.testing.assert_close(
        loss(column(0.4, 0.4), column(0, 1)).detach(), expected, rtol=0, atol=1e-5
    )


def test_a_level_that_never_occurs_leaves_the_others_as_they_are() -> None:
    loss = Ordinal(1, 4)
    loss.fit_(torch.tensor([[1.0], [1.0], [3.0], [3.0]]), torch.ones(4, 1))
    score = loss.score(torch.zeros(1, 1)).detach()
    assert float(score) == pytest.approx(2.0, abs=1e-4)
    at_gap = loss(torch.zeros(2, 1), torch.tensor([[0.0], [2.0]]))
    assert at_gap.isfinite().all()
    assert (at_gap > 10).all()


def test_a_single_level_is_refused() -> None:
    with pytest.raises(ValueError, match="`n_levels` must be at least 2"):
        Ordinal(1, 1)


def test_negative_binomial_has_the_pinned_likelihood() -> None:
    pinned = VALUES["negative_binomial"]
    loss = NegativeBinomial(1).double()
    with torch.no_grad():
        loss.log_size.fill_(math.log(pinned["size"]))
    label = column(*pinned["y"])
    found = loss(torch.full_like(label, math.log(pinned["mean"])), label).detach()
    torch.testing.assert_close(found, column(*pinned["nll"]), rtol=0, atol=1e-9)


def test_negative_binomial_agrees_with_scipy() -> None:
    rng = np.random.default_rng(0)
    count, mean, size = rng.integers(0, 50, 200), rng.uniform(0.1, 30, 200), 3.3
    loss = NegativeBinomial(1).double()
    with torch.no_grad():
        loss.log_size.fill_(math.log(size))
    found = loss(torch.from_numpy(np.log(mean))[:, None], torch.from_numpy(count * 1.0)[:, None])
    expected = -stats.nbinom.logpmf(count, size, size / (size + mean))
    np.testing.assert_allclose(found.detach().numpy()[:, 0], expected, rtol=1e-10)


def test_a_large_size_is_poisson_even_in_single_precision() -> None:
    loss = NegativeBinomial(1)
    with torch.no_grad():
        loss.log_size.fill_(13.0)
    label, logit = torch.tensor([[0.0], [3.0], [20.0]]), torch.tensor([[0.1], [1.0], [2.5]])
    torch.testing.assert_close(
        loss(logit, label).detach(), Poisson()(logit, label), rtol=0, atol=1e-3
    )


def test_the_size_starts_where_the_variance_of_the_labels_is() -> None:
    rng = np.random.default_rng(1)
    label = torch.from_numpy(rng.negative_binomial(2.0, 0.4, 200_000) * 1.0).unsqueeze(1)
    loss = NegativeBinomial(1).double()
    loss.fit_(label, torch.ones_like(label))
    assert float(loss.log_size.detach()) == pytest.approx(math.log(2.0), abs=0.05)


def test_quantile_by_hand() -> None:
    loss = Quantile(0.9)
    torch.testing.assert_close(loss(column(1, 5), column(3, 3)), column(1.8, 0.2))
    assert loss.score(column(2.5)).tolist() == [[2.5]]


def test_half_the_absolute_error_is_the_median() -> None:
    loss, label = Quantile(0.5), column(1, 2, 100)
    assert loss.constant_logit(label, torch.ones_like(label)).tolist() == [2.0]
    torch.testing.assert_close(loss(column(0, 0, 0), label), label / 2)


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_quantile_outside_of_the_labels_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="`level` must lie between 0 and 1"):
        Quantile(level)


def test_weighted_quantiles_count_rows_as_often_as_they_weigh() -> None:
    value = torch.tensor([5.0, 1.0, 3.0, 99.0])
    weight = torch.tensor([1.0, 2.0, 1.0, 0.0])
    repeated = np.array([1.0, 1.0, 3.0, 5.0])
    levels = [0.25, 0.5, 0.75, 0.9, 1.0]
    expected = np.quantile(repeated, levels, method="inverted_cdf")
    np.testing.assert_allclose(weighted_quantiles(value, weight, levels), expected)
    assert weighted_quantiles(value, torch.zeros(4), levels).tolist() == [0.0] * 5

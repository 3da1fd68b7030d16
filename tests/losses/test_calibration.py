"""Scores are expected values: small models on rows drawn from known distributions.

The models are linear in one input, fitted by full-batch descent; their mean score is that of the
labels, over all rows and, where the model is the truth, on each side of the input too.
"""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from paretorank.losses import (
    Cread,
    HeteroscedasticLogNormal,
    JointRankingCalibration,
    LogNormal,
    Loss,
    NegativeBinomial,
    Ordinal,
    Poisson,
    ProgressiveTree,
    Quantile,
    Tweedie,
    WeightedLogistic,
    ZeroInflatedLogNormal,
)

N_ROWS = 30_000
ALL_ROWS, ONE_SIDE, ONE_SIDE_APPROXIMATE = 0.03, 0.05, 0.12
Draw = Callable[[np.random.Generator, np.ndarray], np.ndarray]


def click(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    return rng.random(len(x)) < 1 / (1 + np.exp(2 - x))


def stars(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    latent = x + rng.logistic(size=len(x))
    return np.searchsorted([-1.0, 0.2, 2.0, 2.2], latent)


def comments(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    mean = np.exp(0.5 * x)
    return rng.poisson(rng.gamma(0.7, mean / 0.7))


def shifted_lognormal(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    return np.exp(3 + 0.3 * x + 0.6 * rng.standard_normal(len(x))) - 1


def spread_lognormal(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    std = 0.05 + np.log1p(np.exp(-0.5 + 0.3 * x))
    return np.exp(3 + 0.2 * x + std * rng.standard_normal(len(x))) - 1


def watch(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    clicked = rng.random(len(x)) < 1 / (1 + np.exp(1 - 0.5 * x))
    return clicked * np.exp(2 + 0.3 * x + 0.7 * rng.standard_normal(len(x)))


def compound_poisson(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    events = rng.poisson(np.exp(0.4 * x))
    return rng.gamma(np.maximum(events, 1e-9) * 2.0, 5.0) * (events > 0)


def exponential(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    return rng.exponential(20 * np.exp(0.3 * x))


CASES: dict[str, tuple[Callable[[], Loss], Draw, float]] = {
    "jrc": (lambda: JointRankingCalibration(0.1), click, ONE_SIDE),
    "ordinal": (lambda: Ordinal(1, 5), stars, ONE_SIDE),
    "poisson": (Poisson, comments, ONE_SIDE),
    "negative_binomial": (lambda: NegativeBinomial(1), comments, ONE_SIDE),
    "lognormal": (lambda: LogNormal(1), shifted_lognormal, ONE_SIDE),
    "lognormal_heteroscedastic": (
        lambda: HeteroscedasticLogNormal(1),
        spread_lognormal,
        ONE_SIDE,
    ),
    "zero_inflated_lognormal": (lambda: ZeroInflatedLogNormal(1), watch, ONE_SIDE),
    "weighted_logistic": (lambda: WeightedLogistic(1), exponential, ONE_SIDE),
    "tweedie": (lambda: Tweedie(1), compound_poisson, ONE_SIDE),
    "cread on clicks": (lambda: Cread(1), watch, ONE_SIDE_APPROXIMATE),
    "cread": (lambda: Cread(1), exponential, ONE_SIDE_APPROXIMATE),
    "tpm on clicks": (lambda: ProgressiveTree(1), watch, ONE_SIDE_APPROXIMATE),
    "tpm": (lambda: ProgressiveTree(1), exponential, ONE_SIDE_APPROXIMATE),
}


def drawn(draw: Draw) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(11)
    x = rng.standard_normal(N_ROWS)
    label = draw(rng, x).astype(np.float64)
    return torch.from_numpy(x), torch.from_numpy(label).unsqueeze(1)


def fitted_outputs(loss: Loss, x: Tensor, label: Tensor) -> Tensor:
    """Return the outputs of the best model that is linear in the input."""
    loss.fit_(label, torch.ones_like(label))
    bias = loss.constant_logit(label, torch.ones_like(label)).clone().requires_grad_()
    slope = torch.zeros_like(bias, requires_grad=True)
    parameters = [bias, slope, *loss.parameters()]
    descent = torch.optim.LBFGS(parameters, max_iter=60, line_search_fn="strong_wolfe")

    def outputs() -> Tensor:
        return bias + slope * x.view(-1, *[1] * bias.dim())

    def closure() -> float:
        descent.zero_grad()
        mean = loss(outputs(), label).mean()
        mean.backward()
        return float(mean.detach())

    descent.step(closure)
    return outputs().detach()


@pytest.mark.parametrize("name", CASES)
def test_the_mean_score_is_the_mean_label(name: str) -> None:
    make, draw, tolerance = CASES[name]
    x, label = drawn(draw)
    loss = make().double()
    score = loss.score(fitted_outputs(loss, x, label)).detach()
    assert float(score.mean() / label.mean()) == pytest.approx(1, abs=ALL_ROWS)
    for side in (x < 0, x >= 0):
        assert float(score[side].mean() / label[side].mean()) == pytest.approx(1, abs=tolerance)
    correlation = torch.corrcoef(torch.stack([x, score[:, 0]]))[0, 1]
    assert float(correlation) > 0.5


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_the_share_of_labels_below_a_quantile_is_its_level(level: float) -> None:
    _, label = drawn(exponential)
    best = Quantile(level).constant_logit(label, torch.ones_like(label))
    assert float((label < best).double().mean()) == pytest.approx(level, abs=1e-3)


def test_the_upper_sum_over_the_steps_would_be_too_large() -> None:
    _, label = drawn(exponential)
    loss, weight = Cread(1, n_steps=8).double(), torch.ones_like(label)
    loss.fit_(label, weight)
    best = loss.constant_logit(label, weight)
    assert float(loss.score(best) / label.mean()) == pytest.approx(1, abs=1e-4)
    ends = torch.cat([loss.starts[:, 1:], label.amax().view(1, 1)], dim=1)
    loss.widths.copy_(ends - loss.starts)
    assert float(loss.score(best) / label.mean()) > 1.3

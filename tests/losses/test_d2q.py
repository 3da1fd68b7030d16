"""Durations by their rank in groups of items that are about as long."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from paretorank.losses import D2Q, Loss

VALUES: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "values" / "losses.json").read_text()
)["d2q"]


def double(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def column(values: object) -> Tensor:
    return double(values).unsqueeze(1)


def by_task(durations: Tensor, loss: D2Q) -> Tensor:
    return durations.unsqueeze(1).expand(-1, len(loss.edges))


def fitted(
    durations: Tensor, watch: Tensor, *, n_groups: int, weight: Tensor | None = None
) -> tuple[D2Q, Loss]:
    loss = D2Q(watch.shape[1], n_groups=n_groups).double()
    rows = loss.given(by_task(durations, loss))
    rows.fit_(watch, torch.ones_like(watch) if weight is None else weight)
    return loss, rows


def test_quantiles_in_groups_are_the_pinned_ones() -> None:
    durations, watch = double(VALUES["duration"]), column(VALUES["watch"])
    loss, rows = fitted(durations, watch, n_groups=2)
    group = loss.group_of(by_task(durations, loss))
    quantile = loss.quantile_of(watch, group)
    torch.testing.assert_close(quantile, column(VALUES["quantile_label"]), rtol=0, atol=1e-12)
    torch.testing.assert_close(loss.label_at(quantile, group), watch)
    # A logit of 0 is the quantile 1/2: the second of four labels, and a loss of (1/2 - label)^2.
    zeros = torch.zeros_like(watch)
    assert rows.score(zeros)[:, 0].tolist() == [5, 5, 5, 30, 30, 30, 30, 5]
    assert rows(zeros, watch)[:, 0].tolist() == [0, 0.25, 0.0625, 0, 0.0625, 0.0625, 0.25, 0.0625]


def test_quantiles_and_their_inverse_agree_with_numpy() -> None:
    rng = np.random.default_rng(0)
    durations = rng.lognormal(3, 1, 4000).round(1)
    watch = (durations * rng.beta(0.6, 0.8, 4000)).round(1)
    loss, rows = fitted(torch.from_numpy(durations), torch.from_numpy(watch)[:, None], n_groups=5)
    edges = np.quantile(durations, [0.2, 0.4, 0.6, 0.8], method="inverted_cdf")
    group = np.searchsorted(edges, durations)
    chance = rng.uniform(0.01, 0.99, 4000)
    score = rows.score(torch.from_numpy(np.log(chance / (1 - chance)))[:, None]).numpy()[:, 0]
    found = loss.quantile_of(
        torch.from_numpy(watch)[:, None], loss.group_of(by_task(double(durations), loss))
    )
    for at in range(5):
        own = np.sort(watch[group == at])
        expected = np.searchsorted(own, watch[group == at], side="right") / len(own)
        assert np.abs(found.numpy()[group == at, 0] - expected).max() < 0.01
        levels = np.arange(101) / 100
        knots = np.r_[0.0, np.quantile(own, levels[1:], method="inverted_cdf")]
        line = np.interp(chance[group == at], levels, knots)
        np.testing.assert_allclose(score[group == at], line, rtol=1e-9)


def test_the_constant_is_the_mean_quantile() -> None:
    durations, watch = double(VALUES["duration"]), column(VALUES["watch"])
    _, rows = fitted(durations, watch, n_groups=2)
    constant = rows.constant_logit(watch, torch.ones_like(watch))
    assert float(constant.sigmoid()) == pytest.approx(0.625)


def test_rows_of_unknown_duration_are_ranked_among_all() -> None:
    durations, watch = double([1.0, 1.0, 9.0, 9.0, torch.nan]), column([1.0, 2.0, 3.0, 4.0, 5.0])
    loss, rows = fitted(durations, watch, n_groups=2)
    group = loss.group_of(by_task(durations, loss))
    assert group[:, 0].tolist() == [0, 0, 1, 1, 2]
    assert loss.quantile_of(watch, group)[-1].item() == pytest.approx(1.0)
    zeros = torch.zeros_like(watch)
    torch.testing.assert_close(rows.score(zeros), column([1.0, 1.0, 3.0, 3.0, 3.0]))
    torch.testing.assert_close(loss.score(zeros), torch.full_like(watch, 3.0))
    torch.testing.assert_close(loss(zeros, watch)[-1], rows(zeros, watch)[-1])


def test_longer_items_than_any_in_training_belong_to_the_last_group_with_rows() -> None:
    durations = double([1.0, 1.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0])
    watch = column([0.5, 0.6, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    loss, _ = fitted(durations, watch, n_groups=4)
    assert loss.edges.tolist() == [[1.0, 5.0, 5.0]]
    new = loss.given(column([100.0, 5.0, 0.1]))
    highest = torch.full((3, 1), 50.0, dtype=torch.float64)
    assert new.score(highest)[:, 0].tolist() == [6.0, 6.0, 0.6]


def test_tasks_have_quantiles_of_their_own_and_rows_of_weight_0_do_not_count() -> None:
    durations = double([1.0, 1.0, 9.0, 9.0])
    watch = double([[1.0, 7.0], [2.0, 7.0], [3.0, 80.0], [400.0, 90.0]])
    weight = torch.ones_like(watch)
    weight[3, 0] = 0.0
    _, rows = fitted(durations, watch, n_groups=2, weight=weight)
    best = rows.score(torch.full_like(watch, 50.0))
    assert best.tolist() == [[2.0, 7.0], [2.0, 7.0], [3.0, 90.0], [3.0, 90.0]]


def test_a_label_above_all_others_has_the_quantile_1() -> None:
    loss, _ = fitted(double([1.0, 2.0]), column([3.0, 4.0]), n_groups=1)
    group = loss.everything(column([900.0]))
    assert loss.quantile_of(column([900.0]), group).item() == 1.0


def test_quantiles_and_scores_rise_with_label_and_logit() -> None:
    rng = np.random.default_rng(1)
    watch = torch.from_numpy(rng.lognormal(2, 1, (500, 1)))
    loss, rows = fitted(torch.from_numpy(rng.lognormal(3, 1, 500)), watch, n_groups=7)
    grid = torch.linspace(0, 200, 500, dtype=torch.float64).unsqueeze(1)
    for at in range(8):
        group = torch.full((500, 1), at)
        assert (loss.quantile_of(grid, group).diff(dim=0) >= 0).all()
        assert (loss.label_at(grid / 200, group).diff(dim=0) >= 0).all()
    assert rows.score(torch.full_like(watch, torch.nan)).isnan().all()


def test_a_model_that_knows_the_quantile_of_each_row_scores_its_label() -> None:
    """The bias of duration is out of the label: long and short items have the same quantiles."""
    rng = np.random.default_rng(2)
    durations = rng.choice([10.0, 300.0], 2000)
    watch = torch.from_numpy(durations * rng.uniform(size=2000))[:, None]
    loss, _ = fitted(torch.from_numpy(durations), watch, n_groups=2)
    group = loss.group_of(by_task(torch.from_numpy(durations), loss))
    quantile = loss.quantile_of(watch, group)
    assert abs(float(quantile[group == 0].mean() - quantile[group == 1].mean())) < 0.01
    torch.testing.assert_close(loss.label_at(quantile, group), watch, rtol=1e-6, atol=1e-6)


def test_no_group_is_refused() -> None:
    with pytest.raises(ValueError, match="`n_groups` must be at least 1"):
        D2Q(1, n_groups=0)

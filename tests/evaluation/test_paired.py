"""Several models on the same rows, and resamples that all of them share."""

from dataclasses import replace

import numpy as np
import pytest

from paretorank.evaluation import ScoredRows, measure, task_metrics
from paretorank.evaluation.intervals import resampling_counts
from paretorank.foundation.errors import ConfigError
from paretorank.metrics import AUC, METRICS_BY_KIND
from paretorank.schema import LabelSpec

LABELS = (
    LabelSpec(name="click", column="c", kind="binary"),
    LabelSpec(name="like", column="l", kind="binary", observed_when="click"),
    LabelSpec(name="watch", column="w", kind="duration"),
)
N_ROWS, N_USERS = 240, 12


def scored(seed: int = 0, *, with_users: bool = True) -> ScoredRows:
    rng = np.random.default_rng(1)
    click = (rng.random(N_ROWS) < 0.5).astype(float)
    like = np.where(click == 1, (rng.random(N_ROWS) < 0.4).astype(float), np.nan)
    truth = np.stack([click, like, rng.exponential(5, N_ROWS)], axis=1)
    user = rng.integers(N_USERS, size=N_ROWS) * 7
    noise = np.random.default_rng(seed).random((N_ROWS, 3))
    scores = 0.3 * np.nan_to_num(truth) / np.nan_to_num(truth).max(axis=0) + 0.7 * noise
    return ScoredRows(LABELS, scores, truth, user=user if with_users else None)


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_the_values_are_those_of_the_metrics() -> None:
    names = ["click.auc", "like.gauc", "watch.mae"]
    wanted = task_metrics(names, LABELS)
    assert [one.name for one in wanted] == names
    found = measure([scored(0), scored(1)], wanted, n_resamples=0, generator=rng())
    assert found.values.shape == (2, 3)
    assert found.draws.shape == (0, 2, 3)
    auc = AUC()
    auc.update(scored(1).scores[:, 0], scored(1).truth[:, 0])
    assert found.values[1, 0] == auc.result()


def test_a_resample_is_the_metric_of_the_users_that_were_drawn() -> None:
    rows, wanted = scored(), task_metrics(["click.auc", "like.auc"], LABELS)
    found = measure([rows], wanted, n_resamples=3, generator=rng())
    users = np.unique(rows.user)
    for counts, draw in zip(resampling_counts(len(users), 3, rng()), found.draws, strict=True):
        weight = counts[np.searchsorted(users, rows.user)]
        for task in (0, 1):
            auc = AUC()
            auc.update(rows.scores[:, task], rows.truth[:, task], weight=weight)
            assert draw[0, task] == pytest.approx(auc.result())


def test_equal_models_are_equal_on_every_resample() -> None:
    names = ["click.auc", "click.gauc", "click.log_loss", "watch.xauc"]
    wanted = task_metrics(names, LABELS)
    found = measure([scored(), scored()], wanted, n_resamples=20, generator=rng())
    assert np.array_equal(found.draws[:, 0], found.draws[:, 1])
    assert (found.draws.std(axis=0) > 0).all()


def test_without_users_rows_are_drawn() -> None:
    wanted = task_metrics(["click.auc"], LABELS)
    one = measure([scored(with_users=False)], wanted, n_resamples=10, generator=rng())
    alone = replace(scored(), user=np.arange(N_ROWS))
    other = measure([alone], wanted, n_resamples=10, generator=rng())
    assert np.array_equal(one.draws, other.draws)


def test_what_is_undefined_is_nan_and_leaves_the_rest_alone() -> None:
    rows = scored()
    truth = rows.truth.copy()
    truth[:, 1] = np.nan
    wanted = task_metrics(["click.auc", "like.auc"], LABELS)
    found = measure([replace(rows, truth=truth)], wanted, n_resamples=4, generator=rng())
    assert np.isnan(found.values[:, 1]).all()
    assert np.isnan(found.draws[:, :, 1]).all()
    assert np.isfinite(found.draws[:, :, 0]).all()


def test_every_task_has_a_main_metric() -> None:
    assert [one.name for one in task_metrics([], LABELS)] == ["click.auc", "like.auc", "watch.xauc"]


@pytest.mark.parametrize("name", ["click", "click.acu", "nobody.auc", "click.pcoc"])
def test_what_has_no_direction_or_does_not_exist_is_no_objective(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        task_metrics([name], LABELS)


@pytest.mark.parametrize("metric", METRICS_BY_KIND["duration"], ids=lambda metric: metric.name)
def test_metrics_of_durations_can_be_objectives_if_they_have_a_direction(metric: type) -> None:
    name = f"watch.{metric.name}"  # type: ignore[attr-defined]
    if metric.name == "pcoc":  # type: ignore[attr-defined]
        pytest.skip("its best value is in the middle")
    assert task_metrics([name], LABELS)[0].metric is metric

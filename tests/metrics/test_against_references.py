"""Metrics agree with scikit-learn where it has them, and with plain loops where it has not."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    roc_auc_score,
)

from paretorank.metrics import (
    XAUC,
    GroupedAUC,
    LogLoss,
    MeanAbsoluteError,
    RootMeanSquaredError,
    auc_per_user,
    count_pairs,
    observed_rows,
    weighted_auc,
)

quick = settings(deadline=None, max_examples=60)
weights = st.floats(0.1, 10.0)
binary_rows = st.lists(
    st.tuples(st.integers(0, 8), st.integers(0, 1), weights, st.integers(0, 3)),
    min_size=2,
    max_size=40,
)
numeric_rows = st.lists(
    st.tuples(st.integers(-4, 4), st.integers(0, 5), weights), min_size=2, max_size=25
)


@quick
@given(binary_rows)
def test_auc_equals_scikit_learn_with_ties_and_weights(
    rows: list[tuple[int, int, float, int]],
) -> None:
    score, label, weight, _ = (np.array(column) for column in zip(*rows, strict=True))
    if len(set(label.tolist())) < 2:
        return
    expected = roc_auc_score(label, score, sample_weight=weight)
    assert weighted_auc(score / 8, label, weight) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("decimals", [1, 3, 16])
def test_auc_of_many_rows_equals_scikit_learn(decimals: int) -> None:
    generator = np.random.default_rng(decimals)
    score = generator.random(20_000).round(decimals).astype(np.float32)
    label = generator.random(20_000) < score**3
    assert weighted_auc(score, label) == pytest.approx(roc_auc_score(label, score), abs=1e-12)


@quick
@given(binary_rows)
def test_the_auc_of_each_user_is_the_auc_of_the_rows_of_that_user(
    rows: list[tuple[int, int, float, int]],
) -> None:
    score, label, weight, user = (np.array(column) for column in zip(*rows, strict=True))
    users = auc_per_user(observed_rows(score / 8, label, weight=weight, group=user))
    expected = [
        weighted_auc(score[user == one] / 8, label[user == one], weight[user == one])
        for one in users.user
    ]
    assert users.auc == pytest.approx(expected, abs=1e-9, nan_ok=True)
    assert users.impressions.sum() == pytest.approx(weight.sum())


def test_gauc_of_many_users_equals_a_loop_over_scikit_learn() -> None:
    generator = np.random.default_rng(3)
    user = np.sort(generator.integers(0, 200, 3_000))[generator.permutation(3_000)]
    score = generator.random(3_000).round(2)
    label = (generator.random(3_000) < score * 0.3).astype(int)
    aucs, sizes = [], []
    for one in np.unique(user):
        mine = user == one
        if 0 < label[mine].sum() < mine.sum():
            aucs.append(roc_auc_score(label[mine], score[mine]))
            sizes.append(mine.sum())
    metric = GroupedAUC()
    metric.update(score, label, group=user)
    assert metric.result() == pytest.approx(np.average(aucs, weights=sizes), abs=1e-12)
    assert metric.n_users_kept == len(aucs)


@quick
@given(numeric_rows)
def test_xauc_equals_a_loop_over_all_pairs(rows: list[tuple[int, int, float]]) -> None:
    won, comparable = np.zeros(len(rows)), np.zeros(len(rows))
    for (i, (score_i, label_i, weight_i)), (j, (score_j, label_j, weight_j)) in combinations(
        enumerate(rows), 2
    ):
        if label_i == label_j:
            continue
        share = 0.5 if score_i == score_j else float((score_i < score_j) == (label_i < label_j))
        won[i], won[j] = won[i] + share * weight_j, won[j] + share * weight_i
        comparable[i], comparable[j] = comparable[i] + weight_j, comparable[j] + weight_i
    score, label, weight = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    pairs = count_pairs(observed_rows(score, label, weight=weight))
    assert pairs.won == pytest.approx(won, abs=1e-9)
    assert pairs.comparable == pytest.approx(comparable, abs=1e-9)


def test_xauc_of_two_classes_is_the_auc() -> None:
    generator = np.random.default_rng(4)
    score, label = generator.random(5_000).round(2), generator.integers(0, 2, 5_000)
    metric = XAUC()
    metric.update(score, label)
    assert metric.result() == pytest.approx(roc_auc_score(label, score), abs=1e-12)


def test_xauc_depends_on_the_order_of_scores_only() -> None:
    generator = np.random.default_rng(5)
    score, label = generator.normal(size=1_000), generator.exponential(size=1_000)
    plain, stretched = XAUC(), XAUC()
    plain.update(score, label)
    stretched.update(np.exp(3 * score), label)
    assert plain.result() == stretched.result()


def test_losses_equal_scikit_learn() -> None:
    generator = np.random.default_rng(6)
    score, weight = generator.uniform(0.001, 0.999, 1_000), generator.random(1_000)
    label = generator.integers(0, 2, 1_000)
    log, absolute, squared = LogLoss(), MeanAbsoluteError(), RootMeanSquaredError()
    for metric in (log, absolute, squared):
        metric.update(score, label, weight=weight)
    assert log.result() == pytest.approx(log_loss(label, score, sample_weight=weight))
    assert absolute.result() == pytest.approx(
        mean_absolute_error(label, score, sample_weight=weight)
    )
    assert squared.result() == pytest.approx(
        mean_squared_error(label, score, sample_weight=weight) ** 0.5
    )

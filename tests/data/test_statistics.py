"""Target statistics see the past, or the other folds, and never the row itself."""

import math
from collections.abc import Iterable

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paretorank.data.fit import FitPlan, Fitted, fit_encoder
from paretorank.data.labels import LABEL_PREFIX
from paretorank.data.statistics import (
    N_FOLDS,
    Overall,
    Totals,
    add_totals,
    entity_keys,
    fit_totals,
    group_rows,
    other_fold_totals,
    past_totals,
    statistic_features,
)
from paretorank.schema import LabelSpec, StatisticConfig

_ROWS = st.lists(
    st.tuples(
        st.integers(0, 3),  # entity; 0 is none
        st.integers(0, 4),  # period
        st.sampled_from([0.0, 1.0, math.nan]),
        st.sampled_from([0.5, 2.0, math.nan]),
        st.integers(0, N_FOLDS - 1),
    ),
    max_size=25,
)
Row = tuple[int, int, float, float, int]


def _arrays(rows: list[Row]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    return (
        np.array([row[0] for row in rows], dtype=np.uint64),
        np.array([row[2:4] for row in rows], dtype=np.float32).reshape(-1, 2),
        np.array([row[1] for row in rows], dtype=np.int64),
        np.array([row[4] for row in rows], dtype=np.int64),
    )


def _expect(totals: Totals, seen_by: list[list[Row]]) -> None:
    for at, seen in enumerate(seen_by):
        assert totals.rows[at] == len(seen)
        for task in range(2):
            labels = [row[2 + task] for row in seen if not math.isnan(row[2 + task])]
            assert totals.counts[at, task] == len(labels)
            assert totals.sums[at, task] == pytest.approx(sum(labels))


@settings(max_examples=150)
@given(_ROWS)
def test_a_row_sees_its_entity_in_strictly_earlier_periods(rows: list[Row]) -> None:
    entity, labels, period, _ = _arrays(rows)
    expected = [
        [other for other in rows if other[0] == row[0] != 0 and other[1] < row[1]] for row in rows
    ]
    _expect(past_totals(entity, labels, period), expected)


@settings(max_examples=150)
@given(_ROWS)
def test_without_time_a_row_sees_its_entity_in_other_folds(rows: list[Row]) -> None:
    entity, labels, _, fold = _arrays(rows)
    expected = [
        [other for other in rows if other[0] == row[0] != 0 and other[4] != row[4]] for row in rows
    ]
    _expect(other_fold_totals(entity, labels, fold), expected)


@settings(max_examples=60)
@given(_ROWS)
def test_later_rows_see_all_of_train(rows: list[Row]) -> None:
    entity, labels, _, _ = _arrays(rows)
    keys, totals = fit_totals(entity, labels)
    assert keys.tolist() == sorted({row[0] for row in rows} - {0})
    _expect(totals, [[row for row in rows if row[0] == key] for key in keys.tolist()])


@settings(max_examples=60)
@given(_ROWS.filter(bool), st.data())
def test_only_later_rows_of_the_same_entity_feel_a_label(
    rows: list[Row], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(rows) - 1))
    entity, labels, period, fold = _arrays(rows)
    changed = labels.copy()
    changed[at] = [5.0, math.nan]
    for before, after, felt in (
        (past_totals(entity, labels, period), past_totals(entity, changed, period), period[at]),
        (other_fold_totals(entity, labels, fold), other_fold_totals(entity, changed, fold), None),
    ):
        for row in range(len(rows)):
            elsewhere = entity[row] != entity[at]
            blind = fold[row] == fold[at] if felt is None else period[row] <= felt
            if elsewhere or blind:
                np.testing.assert_allclose(before.sums[row], after.sums[row], atol=1e-12)
                np.testing.assert_array_equal(before.counts[row], after.counts[row])


def test_a_sum_does_not_suffer_from_a_large_neighbour() -> None:
    entity = np.array([1, 1, 2, 2], dtype=np.uint64)
    labels = np.array([[1e7], [1e7], [0.25], [0.25]], dtype=np.float32)
    totals = past_totals(entity, labels, np.array([0, 1, 0, 1]))
    assert totals.sums[:, 0].tolist() == [0, 1e7, 0, 0.25]


def _overall(kind: str, mean: float, std: float = 1.0) -> Overall:
    return Overall(("t",), (kind,), np.array([mean]), np.array([std]))  # type: ignore[arg-type]


def _totals(total: float, count: float, rows: float) -> Totals:
    return Totals(np.array([[float(total)]]), np.array([[float(count)]]), np.array([float(rows)]))


def test_a_binary_rate_is_smoothed_and_its_logit_centred() -> None:
    # (3 + 20 * 0.1) / (5 + 20) = 0.2; logit(0.2) - logit(0.1) = log(1/4) - log(1/9) = log(9/4)
    features = statistic_features(_totals(3, 5, 7), _overall("binary", 0.1), 20.0)
    assert features[0].tolist() == pytest.approx([math.log(9 / 4), math.log(8)])


@pytest.mark.parametrize("kind", ["duration", "count"])
def test_durations_and_counts_are_differences_of_logs(kind: str) -> None:
    # (30 + 10 * 3) / (2 + 10) = 5; log(6) - log(4)
    features = statistic_features(_totals(30, 2, 2), _overall(kind, 3.0), 10.0)
    assert features[0, 0] == pytest.approx(math.log(6 / 4))


def test_a_regression_rate_is_measured_in_standard_deviations() -> None:
    # (10 + 0) / (2 + 3) = 2, relative to mean 0 and deviation 4
    features = statistic_features(_totals(10, 2, 2), _overall("regression", 0.0, 4.0), 3.0)
    assert features[0, 0] == pytest.approx(0.5)


@pytest.mark.parametrize("kind", ["binary", "duration", "count", "regression"])
@pytest.mark.parametrize("smoothing", [0.0, 20.0])
def test_an_entity_never_seen_gives_zero(kind: str, smoothing: float) -> None:
    features = statistic_features(_totals(0, 0, 0), _overall(kind, 0.3), smoothing)
    assert features[0].tolist() == pytest.approx([0, 0], abs=1e-6)


@pytest.mark.parametrize(("total", "mean"), [(5.0, 0.5), (0.0, 0.5), (0.0, 0.0), (5.0, 1.0)])
def test_rates_of_nothing_and_everything_stay_finite(total: float, mean: float) -> None:
    features = statistic_features(_totals(total, 5, 5), _overall("binary", mean), 0.0)
    assert np.isfinite(features).all()


def test_keys_name_a_cross_of_entities_in_order() -> None:
    frame = pl.DataFrame({"a": [1, 2, 1, None], "b": [2, 1, 2, 1]})
    keys = entity_keys(frame, ("a", "b"), ("int", "int")).tolist()
    assert keys[0] == keys[2] != keys[1]
    assert keys[3] == 0
    assert keys[0] != entity_keys(frame, ("b", "a"), ("int", "int"))[0]
    assert keys[0] != entity_keys(frame, ("a",), ("int",))[0]


@pytest.mark.parametrize(
    "served", [pl.Series([5.0]), pl.Series(["5"]), pl.Series([5], dtype=pl.Int8)]
)
def test_an_entity_is_found_whatever_its_type_at_serving(served: pl.Series) -> None:
    for kind, trained in (("int", pl.Series([5])), ("text", pl.Series(["5"]))):
        at_fit = entity_keys(pl.DataFrame({"a": trained}), ("a",), (kind,))
        at_serving = entity_keys(pl.DataFrame({"a": served}), ("a",), (kind,))
        assert at_fit.tolist() == at_serving.tolist()


LABELS = (
    LabelSpec(name="click", column="click", kind="binary"),
    LabelSpec(name="like", column="like", kind="binary"),
)


def _log(n_rows: int, seed: int = 0) -> pl.DataFrame:
    generator = np.random.default_rng(seed)
    click = (generator.random(n_rows) < 0.4).astype(np.float32)
    like = np.where(click > 0, generator.random(n_rows) < 0.3, np.nan).astype(np.float32)
    return pl.DataFrame(
        {
            "user": generator.integers(0, 12, n_rows),
            "tab": generator.integers(0, 3, n_rows),
            "time": np.sort(generator.integers(0, 6 * 86_400, n_rows)),
            "click": click,
            "like": like,
        }
    )


def _fit(frame: pl.DataFrame, *, time: str | None = "time", **config: object) -> Fitted:
    statistic = StatisticConfig.model_validate({"of": ("user",), **config})
    chunks = [frame.slice(at, 70) for at in range(0, len(frame), 70)]
    return fit_encoder(FitPlan({}, {"user": statistic}, LABELS, time), labelled(chunks))


def test_an_entity_is_the_same_whichever_chunk_it_comes_in() -> None:
    log = _log(140).with_columns(user=pl.Series([float(i % 3) for i in range(70)] + [0.5] * 70))
    totals = [_fit(frame).encoder.statistics["user"].totals.rows for frame in (log, log.reverse())]
    assert [sorted(rows.tolist()) for rows in totals] == [[23, 23, 24, 70]] * 2


@pytest.mark.parametrize("refresh_s", [86_400.0, 0.0, 3_600.0])
def test_training_rows_get_what_a_loop_over_days_gives(refresh_s: float) -> None:
    frame = _log(200)
    found = _fit(frame, refresh_s=refresh_s, smoothing=4.0).train_statistics
    rows = frame.rows(named=True)
    means = [float(np.nanmean(frame[name].to_numpy())) for name in ("click", "like")]
    for row, features in zip(rows, found, strict=True):
        own = row["time"] // refresh_s if refresh_s else row["time"]
        past = [
            other
            for other in rows
            if other["user"] == row["user"]
            and (other["time"] // refresh_s if refresh_s else other["time"]) < own
        ]
        for task, name in enumerate(("click", "like")):
            seen = [other[name] for other in past if not math.isnan(other[name])]
            rate = (sum(seen) + 4 * means[task]) / (len(seen) + 4)
            relative = math.log(rate / (1 - rate)) - math.log(means[task] / (1 - means[task]))
            assert features[task] == pytest.approx(relative, abs=1e-5)
        assert features[2] == pytest.approx(math.log(1 + len(past)), abs=1e-6)


def test_a_period_begins_with_its_first_second() -> None:
    frame = pl.DataFrame(
        {"user": [1] * 5, "time": [0, 86_399, 86_400, 86_401, 172_800], "click": 1.0, "like": 1.0}
    )
    found = _fit(frame.cast({"click": pl.Float32, "like": pl.Float32})).train_statistics[:, 2]
    assert np.expm1(found).tolist() == pytest.approx([0, 0, 2, 2, 4])


def test_a_task_counts_only_the_rows_on_which_it_is_observed() -> None:
    frame = _log(300)
    statistic = _fit(frame).encoder.statistics["user"]
    seen = frame.group_by("user").agg(
        pl.col("like").is_not_nan().sum().alias("observed"), pl.len().alias("rows")
    )
    assert sorted(statistic.totals.counts[:, 1].tolist()) == sorted(seen["observed"].to_list())
    assert sorted(statistic.totals.rows.tolist()) == sorted(seen["rows"].to_list())


@pytest.mark.parametrize("time", ["time", None])
def test_swapping_the_own_label_never_moves_a_training_row_relative_to_others(
    time: str | None,
) -> None:
    frame = _log(300)
    before = _fit(frame, time=time).train_statistics
    for at in (0, 150, 299):
        label = frame["click"].to_numpy().copy()
        label[at] = 1 - label[at]
        after = _fit(frame.with_columns(pl.Series("click", label)), time=time).train_statistics
        # The overall mean moves by 1/300, alike for all rows; the row's own numbers must not.
        shift = abs(after[at, 0] - before[at, 0])
        assert shift < 0.02
        assert after[at, 1:].tolist() == before[at, 1:].tolist()
        assert abs(after - before)[:, 0].max() > shift or at == 299


def test_later_rows_never_influence_earlier_ones() -> None:
    frame = _log(300)
    early = (frame["time"] < 3 * 86_400).to_numpy()
    label = frame["click"].to_numpy().copy()
    late = np.flatnonzero(~early)
    label[late] = np.random.default_rng(1).permutation(label[late])  # the overall mean stays
    before = _fit(frame).train_statistics
    after = _fit(frame.with_columns(pl.Series("click", label))).train_statistics
    np.testing.assert_allclose(before[early], after[early], atol=1e-6)
    assert not np.allclose(before[~early], after[~early])


@pytest.mark.parametrize("time", ["time", None])
def test_random_labels_give_features_without_any_relation_to_them(time: str | None) -> None:
    generator = np.random.default_rng(0)
    n = 20_000
    frame = pl.DataFrame(
        {
            "user": generator.integers(0, 4000, n),
            "time": np.sort(generator.integers(0, 10 * 86_400, n)),
            "click": (generator.random(n) < 0.3).astype(np.float32),
            "like": np.ones(n, np.float32),
        }
    )
    features = _fit(frame, time=time, smoothing=1.0).train_statistics
    correlation = np.corrcoef(features[:, 0], frame["click"].to_numpy())[0, 1]
    # Other folds leak a little by construction: with the rest fixed, an own 1 lowers the others.
    assert abs(float(correlation)) < 0.03


def test_rows_after_training_see_totals_of_train_and_strangers_see_nothing() -> None:
    frame = _log(300)
    encoder = _fit(frame, smoothing=0.0).encoder
    users = pl.DataFrame({"user": [3, 99, None]})
    own = frame.filter(pl.col("user") == 3)
    rate, mean = own["click"].mean(), frame["click"].mean()
    assert isinstance(rate, float)
    assert isinstance(mean, float)
    found = encoder.look_up_statistics(users)
    expected = math.log(rate / (1 - rate)) - math.log(mean / (1 - mean))
    assert found[0, 0] == pytest.approx(expected, abs=1e-5)
    assert found[0, 2] == pytest.approx(math.log(1 + len(own)))
    np.testing.assert_allclose(found[1:], 0, atol=1e-6)


def test_only_the_wanted_tasks_are_counted() -> None:
    fitted = _fit(_log(100), tasks=("like",))
    assert fitted.encoder.statistic_names == ["user.like", "user.rows"]
    assert fitted.train_statistics.shape == (100, 2)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 4)), max_size=40),
    st.booleans(),
)
def test_rows_are_grouped_in_the_order_of_a_lexsort(
    rows: list[tuple[int, int, int]], in_time: bool
) -> None:
    upper, lower, period = np.array(rows, np.int64).reshape(-1, 3).T
    entity = (upper.astype(np.uint64) << np.uint64(60)) + lower.astype(np.uint64)  # agree above
    period = np.sort(period) if in_time else period
    entities = group_rows(entity, period)
    np.testing.assert_array_equal(entities.order, np.lexsort((period, entity)))
    np.testing.assert_array_equal(entities.keys, np.unique(entity))
    np.testing.assert_array_equal(entities.keys[entities.code], entity)


def labelled(chunks: Iterable[pl.DataFrame]) -> list[pl.DataFrame]:
    """Return chunks with their labels where the preparation puts them."""
    names = ("click", "like", "watch")
    return [
        chunk.with_columns(
            pl.col(name).alias(LABEL_PREFIX + name) for name in names if name in chunk.columns
        )
        for chunk in chunks
    ]


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_totals_of_parts_add_up_to_those_of_all(one: int, two: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    entity = generator.integers(0, 9, one + two).astype(np.uint64)
    labels = generator.integers(0, 3, (one + two, 2)).astype(np.float32)
    labels[labels == 2] = np.nan
    keys, whole = fit_totals(entity, labels)
    parts = [fit_totals(entity[:one], labels[:one]), fit_totals(entity[one:], labels[one:])]
    found, totals = add_totals(parts)
    assert found.tolist() == keys.tolist()
    assert totals.sums.tolist() == whole.sums.tolist()
    assert totals.counts.tolist() == whole.counts.tolist()
    assert totals.rows.tolist() == whole.rows.tolist()

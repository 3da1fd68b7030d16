"""The configuration of a task."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from paretorank.losses import (
    D2Q,
    BinaryCrossEntropy,
    Cread,
    DelayedFeedback,
    HeteroscedasticLogNormal,
    Huber,
    JointRankingCalibration,
    Listwise,
    LogNormal,
    Loss,
    NegativeBinomial,
    Ordinal,
    Pairwise,
    Poisson,
    ProgressiveTree,
    Quantile,
    SquaredError,
    Tweedie,
    WeightedLogistic,
    ZeroInflatedLogNormal,
)
from paretorank.schema.labels import LabelSpec
from paretorank.tasks import (
    BinaryTask,
    CountTask,
    DelayConfig,
    DurationTask,
    OrdinalTask,
    RankingConfig,
    RegressionTask,
    TaskConfig,
)


def parse(text: str) -> TaskConfig:
    adapter: TypeAdapter[TaskConfig] = TypeAdapter(TaskConfig)
    return adapter.validate_json(text)


@pytest.mark.parametrize(
    ("text", "loss"),
    [
        ('{"kind": "binary", "label": "y"}', BinaryCrossEntropy),
        ('{"kind": "regression", "label": "y"}', SquaredError),
        ('{"kind": "regression", "label": "y", "loss": "huber"}', Huber),
        ('{"kind": "duration", "label": "y"}', LogNormal),
        ('{"kind": "duration", "label": "y", "loss": "weighted_logistic"}', WeightedLogistic),
        ('{"kind": "count", "label": "y"}', Poisson),
        ('{"kind": "count", "label": "y", "loss": "negative_binomial"}', NegativeBinomial),
        ('{"kind": "regression", "label": "y", "loss": "quantile"}', Quantile),
        (
            '{"kind": "duration", "label": "y", "loss": "lognormal_heteroscedastic"}',
            HeteroscedasticLogNormal,
        ),
        (
            '{"kind": "duration", "label": "y", "loss": "zero_inflated_lognormal"}',
            ZeroInflatedLogNormal,
        ),
        ('{"kind": "duration", "label": "y", "loss": "tweedie"}', Tweedie),
        ('{"kind": "duration", "label": "y", "loss": "cread"}', Cread),
        ('{"kind": "duration", "label": "y", "loss": "tpm"}', ProgressiveTree),
        ('{"kind": "duration", "label": "y", "loss": "d2q", "duration_feature": "x"}', D2Q),
        ('{"kind": "ordinal", "label": "y", "n_levels": 5}', Ordinal),
        ('{"kind": "binary", "label": "y", "ranking": {"kind": "pairwise"}}', Pairwise),
        ('{"kind": "binary", "label": "y", "ranking": {"kind": "listwise"}}', Listwise),
        ('{"kind": "binary", "label": "y", "ranking": {"kind": "jrc"}}', JointRankingCalibration),
    ],
)
def test_the_kind_and_the_loss_decide_what_is_built(text: str, loss: type[Loss]) -> None:
    assert type(parse(text).build_loss(n_tasks=2)) is loss


def test_the_label_spec_carries_what_data_preparation_needs() -> None:
    task = DurationTask(
        label="ms", parent="click", observed_when="click", scale=0.001, clip=600.0, weight=2.0
    )
    assert task.label_spec("watch") == LabelSpec(
        name="watch",
        column="ms",
        kind="duration",
        parent="click",
        observed_when="click",
        scale=0.001,
        clip=600.0,
    )


def test_tasks_with_equal_hyper_parameters_share_a_loss_and_others_do_not() -> None:
    assert BinaryTask(label="a").loss_key() == BinaryTask(label="b", weight=3.0).loss_key()
    near = RegressionTask(label="a", loss="huber")
    far = RegressionTask(label="a", loss="huber", huber_delta=2.0)
    assert near.loss_key() != far.loss_key()
    shifted = DurationTask(label="a", shift_s=2.0)
    assert shifted.loss_key() != DurationTask(label="a").loss_key()


def test_every_setting_that_a_loss_reads_keeps_tasks_apart() -> None:
    groups: list[list[TaskConfig]] = [
        [
            DurationTask(label="a", loss="cread"),
            DurationTask(label="a", loss="cread", n_steps=4),
            DurationTask(label="a", loss="tpm"),
            DurationTask(label="a", loss="tpm", tree_depth=2),
            DurationTask(label="a", loss="tweedie"),
            DurationTask(label="a", loss="tweedie", tweedie_power=1.2),
            DurationTask(label="a", loss="lognormal_heteroscedastic"),
            DurationTask(label="a", loss="lognormal_heteroscedastic", shift_s=2.0),
            DurationTask(label="a", loss="zero_inflated_lognormal"),
            DurationTask(label="a", loss="d2q", duration_feature="length"),
            DurationTask(label="a", loss="d2q", duration_feature="length", n_groups=3),
        ],
        [
            BinaryTask(label="a"),
            BinaryTask(label="a", ranking=RankingConfig(kind="jrc")),
            BinaryTask(label="a", ranking=RankingConfig(kind="jrc", weight=0.5)),
            BinaryTask(label="a", ranking=RankingConfig(kind="pairwise")),
        ],
        [OrdinalTask(label="a", n_levels=3), OrdinalTask(label="a", n_levels=4)],
        [CountTask(label="a"), CountTask(label="a", loss="negative_binomial")],
        [
            RegressionTask(label="a", loss="quantile"),
            RegressionTask(label="a", loss="quantile", quantile=0.9),
        ],
    ]
    for group in groups:
        assert len({task.loss_key() for task in group}) == len(group)


def test_the_levels_of_an_ordinal_task_reach_the_data_preparation() -> None:
    assert OrdinalTask(label="stars", n_levels=6).label_spec("rating").n_levels == 6


@pytest.mark.parametrize(
    "text",
    [
        '{"kind": "binary"}',
        '{"kind": "binary", "label": "y", "loss": "huber"}',
        '{"kind": "binary", "label": "y", "weight": -1}',
        '{"kind": "duration", "label": "y", "shift_s": 0}',
        '{"kind": "ordinal", "label": "y"}',
        '{"kind": "ordinal", "label": "y", "n_levels": 1}',
        '{"kind": "binary", "label": "y", "ranking": {"kind": "lambdarank"}}',
        '{"kind": "binary", "label": "y", "ranking": {"kind": "jrc", "weight": 0}}',
        '{"kind": "duration", "label": "y", "tweedie_power": 2}',
        '{"kind": "duration", "label": "y", "tree_depth": 9}',
    ],
)
def test_impossible_tasks_are_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        parse(text)


def test_ranks_among_items_of_one_length_need_the_length() -> None:
    with pytest.raises(ValidationError, match='loss = "d2q" needs `duration_feature`'):
        DurationTask(label="a", loss="d2q")
    assert DurationTask(label="a", loss="d2q", duration_feature="length").reads == "length"
    assert DurationTask(label="a", duration_feature="length").reads is None


def test_only_quantiles_and_ranks_are_no_means() -> None:
    assert not RegressionTask(label="a", loss="quantile").label_spec("t").scores_mean
    assert not DurationTask(label="a", loss="d2q", duration_feature="x").label_spec("t").scores_mean
    assert RegressionTask(label="a").label_spec("t").scores_mean
    assert DurationTask(label="a").label_spec("t").scores_mean
    assert BinaryTask(label="a").label_spec("t").scores_mean


def test_what_scores_mean_is_not_kept_with_prepared_data() -> None:
    mean, median = RegressionTask(label="a"), RegressionTask(label="a", loss="quantile")
    assert mean.label_spec("t").model_dump_json() == median.label_spec("t").model_dump_json()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({}, "needs matures_after"),
        ({"matures_after": 9.0, "count_early": False}, "needs matures_after"),
        ({"matures_after": 9.0, "ranking": RankingConfig(kind="jrc")}, "cannot be combined"),
    ],
)
def test_delays_need_an_end_and_early_events(settings: dict[str, Any], problem: str) -> None:
    delay = DelayConfig(mean_delay_s=3.0)
    with pytest.raises(ValidationError, match=problem):
        BinaryTask(label="a", delayed_feedback=delay, **settings)
    task = BinaryTask(label="a", delayed_feedback=delay, matures_after=9.0)
    assert type(task.build_loss(n_tasks=1)) is DelayedFeedback
    assert task.label_spec("t").keeps_waiting
    assert not BinaryTask(label="a", matures_after=9.0).label_spec("t").keeps_waiting
    other = task.model_copy(update={"matures_after": 8.0})
    assert len({t.loss_key() for t in (task, other, BinaryTask(label="a"))}) == 3

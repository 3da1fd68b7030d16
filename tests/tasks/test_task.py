"""The configuration of a task."""

import pytest
from pydantic import TypeAdapter, ValidationError

from paretorank.losses import (
    BinaryCrossEntropy,
    Huber,
    LogNormal,
    Loss,
    Poisson,
    SquaredError,
    WeightedLogistic,
)
from paretorank.schema.labels import LabelSpec
from paretorank.tasks import BinaryTask, DurationTask, RegressionTask, TaskConfig


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


@pytest.mark.parametrize(
    "text",
    [
        '{"kind": "binary"}',
        '{"kind": "binary", "label": "y", "loss": "huber"}',
        '{"kind": "binary", "label": "y", "weight": -1}',
        '{"kind": "duration", "label": "y", "shift_s": 0}',
        '{"kind": "ordinal", "label": "y"}',
    ],
)
def test_impossible_tasks_are_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        parse(text)

"""What a model asks of the features, checked before any work."""

from typing import Any

import pytest

from paretorank.architectures import MMoEConfig, PEPNetConfig, STEMConfig
from paretorank.data.layout import CategoricalColumn, Layout, TableSpec
from paretorank.embedding import DCNv2Config, FMConfig
from paretorank.foundation.errors import ConfigError
from paretorank.model import ModelConfig, build_model, refuse_unfit
from paretorank.schema import (
    CategoricalFeature,
    FeatureConfig,
    NumericFeature,
    SequenceFeature,
)
from paretorank.tasks import BinaryTask

FEATURES: dict[str, FeatureConfig] = {
    "user_id": CategoricalFeature(),
    "video_id": CategoricalFeature(dim=8),
    "watched": SequenceFeature(table="video_id"),
    "age": NumericFeature(),
}
TASKS = {"click": BinaryTask(label="click")}


def refusal(config: ModelConfig, features: dict[str, FeatureConfig] = FEATURES) -> ConfigError:
    with pytest.raises(ConfigError) as error:
        refuse_unfit(config, features, ("rates",))
    return error.value


@pytest.mark.parametrize("key", ["prior", "domain"])
def test_a_prior_of_no_feature_is_refused_with_place_and_suggestion(key: str) -> None:
    names: dict[str, Any] = {"prior": ("user_id",), key: ("user_id", "vdeo_id")}
    error = refusal(ModelConfig(architecture=PEPNetConfig(**names)))
    assert f"model.architecture.{key} names 'vdeo_id'" in str(error)
    assert error.hint == "Did you mean 'video_id'?"


def test_any_feature_or_statistic_may_be_a_prior() -> None:
    architecture = PEPNetConfig(prior=("user_id", "watched", "age", "rates"))
    assert refuse_unfit(ModelConfig(architecture=architecture), FEATURES, ("rates",)) is None


def test_a_prior_that_the_data_lack_is_refused_when_the_model_is_built() -> None:
    layout = Layout(
        tables=(TableSpec(name="user_id", n_codes=5, dim=None),),
        categorical=(CategoricalColumn(feature="user_id", table="user_id"),),
        ragged=(),
        numeric=(),
        labels=(),
    )
    config = ModelConfig(architecture=PEPNetConfig(prior=("user",)))
    with pytest.raises(ConfigError, match="'user', which is no feature") as error:
        build_model(config, layout, TASKS, seed=1)
    assert error.value.hint == "Did you mean 'user_id'?"


def test_a_factorization_machine_on_several_widths_names_the_features() -> None:
    error = refusal(ModelConfig(interaction=FMConfig(), embedding_dim=4))
    assert "4: user_id; 8: video_id, watched" in str(error)
    assert "model.embedding_dim" in error.hint


def test_a_factorization_machine_on_one_width_is_fine() -> None:
    config = ModelConfig(interaction=FMConfig(), embedding_dim=8)
    assert refuse_unfit(config, FEATURES) is None


def test_a_factorization_machine_needs_two_features() -> None:
    error = refusal(ModelConfig(interaction=FMConfig()), {"user_id": CategoricalFeature()})
    assert "two features, but there are 1" in str(error)


def test_tables_of_each_task_do_not_interact() -> None:
    error = refusal(ModelConfig(architecture=STEMConfig(), interaction=DCNv2Config()))
    assert "'dcn_v2'" in str(error)
    assert "'stem'" in str(error)
    assert "none" in error.hint
    config = ModelConfig(architecture=MMoEConfig(), interaction=DCNv2Config())
    assert refuse_unfit(config, FEATURES) is None

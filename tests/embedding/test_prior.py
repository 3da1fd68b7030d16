"""The inputs of chosen features, handed out once more."""

import pytest
import torch

from paretorank.blocks import whole_rows
from paretorank.data.batch import Batch, RaggedBatch
from paretorank.data.layout import (
    CategoricalColumn,
    Layout,
    NumericColumn,
    RaggedColumn,
    TableSpec,
)
from paretorank.embedding import FeatureBank
from paretorank.foundation.errors import ConfigError

LAYOUT = Layout(
    tables=(TableSpec(name="user", n_codes=5, dim=2), TableSpec(name="item", n_codes=4, dim=3)),
    categorical=(
        CategoricalColumn(feature="item", table="item"),
        CategoricalColumn(feature="user", table="user"),
        CategoricalColumn(feature="last", table="item"),
    ),
    ragged=(RaggedColumn(feature="seen", table="item", pooling="mean"),),
    numeric=(
        NumericColumn(name="age", n_bins=2, has_missing=True),
        NumericColumn(name="vector.0"),
        NumericColumn(name="price"),
        NumericColumn(name="vector.1"),
    ),
    labels=(),
)
BATCH = Batch(
    codes=torch.tensor([[1, 4, 2], [3, 0, 0]], dtype=torch.int32),
    numeric=torch.tensor([[1.5, 10.0, 20.0, 30.0], [torch.nan, 11.0, 21.0, 31.0]]),
    ragged=(RaggedBatch(torch.tensor([1, 3], dtype=torch.int32), torch.tensor([0, 2, 2])),),
    labels=torch.zeros(2, 0),
    observed=torch.zeros(2, 0, dtype=torch.bool),
    weight=torch.ones(2),
    request=torch.arange(2),
    row=torch.arange(2),
)


def build(*prior: str) -> FeatureBank:
    generator = torch.Generator().manual_seed(0)
    return FeatureBank(LAYOUT, default_dim=4, generator=generator, init_std=1.0, prior=prior)


def test_the_prior_holds_the_inputs_of_its_features_in_its_order() -> None:
    bank = build("last", "user", "vector")
    tables = bank.embedding_parameters()
    prior = bank.inputs(BATCH)[1].prior
    assert prior is not None
    expected = torch.cat([tables["3"][2], tables["2"][4], torch.tensor([10.0, 30.0])])
    torch.testing.assert_close(prior[0], expected)
    assert bank.prior_dims == (3, 2, 2)


def test_bins_and_the_indicator_of_a_number_belong_to_it() -> None:
    prior = build("age").inputs(BATCH)[1].prior
    assert prior is not None
    assert prior.tolist() == [[1.0, 0.5, 0.0], [0.0, 0.0, 1.0]]


def test_a_list_may_be_a_prior() -> None:
    bank = build("seen")
    prior, item = bank.inputs(BATCH)[1].prior, bank.embedding_parameters()["3"]
    assert prior is not None
    torch.testing.assert_close(prior, torch.stack([(item[1] + item[3]) / 2, torch.zeros(3)]))


def test_the_input_itself_is_the_same_with_and_without_a_prior() -> None:
    x, extras = build().inputs(BATCH)
    assert extras.prior is None
    assert torch.equal(whole_rows(x), whole_rows(build("user").inputs(BATCH)[0]))


def test_the_prior_teaches_the_tables() -> None:
    bank = build("user")
    prior = bank.inputs(BATCH)[1].prior
    assert prior is not None
    prior.sum().backward()
    grad = bank.embedding_parameters()["2"].grad
    assert grad is not None
    assert grad.to_dense().sum(dim=1).tolist() == [2.0, 0.0, 0.0, 0.0, 2.0]


@pytest.mark.parametrize(
    ("name", "hint"), [("usr", "'user'"), ("vector.2", "'vector'"), ("ag", "'age'")]
)
def test_a_feature_without_inputs_is_refused(name: str, hint: str) -> None:
    with pytest.raises(ConfigError, match="no feature of the data") as error:
        build("item", name)
    assert repr(name) in str(error.value)
    assert hint in error.value.hint

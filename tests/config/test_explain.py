import re
from typing import get_args

import pytest
from typer import Typer
from typer.testing import CliRunner

from paretorank.balancing import BalancerConfig
from paretorank.cli.explain import explain
from paretorank.config import RunConfig
from paretorank.config.explain import explain_key, json_schema
from paretorank.foundation.errors import ConfigError

app = Typer()
app.command()(explain)


def test_a_number_says_its_type_default_and_bound() -> None:
    (found,) = explain_key("data.split.test_fraction")
    assert (found.type, found.default) == ("number >= 0, < 1", "0.1")
    assert found.meaning == "Share of the rows (users, requests) for the test."


def test_a_closed_set_lists_what_is_allowed() -> None:
    (found,) = explain_key("features.numeric.encoding")
    assert '"piecewise_linear"' in found.type
    assert found.default == '"quantile"'
    assert found.section.startswith('kind = "numeric"')


def test_a_sequence_may_be_pooled_in_more_ways_than_a_set() -> None:
    (sequence,) = explain_key("features.sequence.pooling")
    (values,) = explain_key("features.categorical.pooling")
    assert '"target_attention" | "transformer"' in sequence.type
    assert values.type == '"mean" | "sum" | "max"'


def test_a_union_lists_its_kinds() -> None:
    (found,) = explain_key("balancer")
    assert {"equal", "static", "uncertainty"} <= {choice.name for choice in found.choices}
    assert all(choice.meaning for choice in found.choices)


def test_every_balancer_is_listed_with_what_it_is_and_the_paper_it_comes_from() -> None:
    (found,) = explain_key("balancer")
    kinds = {choice.name: choice for choice in found.choices}
    assert len(kinds) == len(get_args(get_args(BalancerConfig)[0]))
    for choice in found.choices:
        assert choice.meaning
        assert re.search(r"\b(19|20)\d\d\b", choice.source), choice.name
    assert "ICML 2024" in kinds["stch"].source
    assert "ICDM 2021" in kinds["cosmos"].source
    assert kinds["imtl_l"].source != kinds["uw"].source
    result = CliRunner().invoke(app, ["balancer"])
    assert set(kinds) <= set(result.output.split())


def test_numbers_by_task_are_a_table() -> None:
    (found,) = explain_key("balancer.upgrad.preference")
    assert found.type == "table of NAME = number > 0"


def test_balancers_are_listed_under_what_they_look_at_with_a_source_each() -> None:
    (found,) = explain_key("balancer")
    groups = {choice.name: choice.group for choice in found.choices}
    assert groups["equal"] == "Balancers that look at losses"
    assert groups["upgrad"] == "Balancers that weigh tasks by inner products of gradients"
    assert groups["config"] == "Balancers that make a direction out of gradients"
    assert all(choice.group and choice.source for choice in found.choices)
    sources = {choice.name: choice.source for choice in found.choices}
    assert "NeurIPS 2020, algorithm 1" in sources["pcgrad"]
    assert "NeurIPS 2021" in sources["cagrad"]
    result = CliRunner().invoke(app, ["balancer"])
    headings = [result.output.index(group) for group in dict.fromkeys(groups.values())]
    assert headings == sorted(headings)


def test_every_architecture_is_listed_with_what_it_is_and_where_it_comes_from() -> None:
    (found,) = explain_key("model.architecture")
    kinds = {choice.name: choice for choice in found.choices}
    assert {"mmoe", "cgc", "ple", "cross_stitch", "adatt", "dselect_k", "home"} <= set(kinds)
    assert all(choice.meaning and choice.source for choice in found.choices)
    assert "RecSys 2020" in kinds["ple"].source
    result = CliRunner().invoke(app, ["model.architecture"])
    for kind in kinds:
        assert kind in result.output
    assert "source" in result.output


def test_kinds_that_cite_nothing_have_no_column_of_sources() -> None:
    (found,) = explain_key("features.user")
    assert not any(choice.source for choice in found.choices)
    result = CliRunner().invoke(app, ["features.user"])
    assert "source" not in result.output


def test_every_relation_is_listed() -> None:
    (found,) = explain_key("model.relations")
    kinds = [choice.name for choice in found.choices]
    assert kinds == ["none", "esmm", "escm2", "aitm", "dbmtl", "parent_logit"]


def test_a_section_lists_its_keys() -> None:
    (found,) = explain_key("training.early_stopping")
    assert [entry.name for entry in found.keys] == ["monitor", "patience"]


@pytest.mark.parametrize(
    ("key", "author"),
    [
        ("model.architecture.stem", "Su et al."),
        ("model.architecture.pepnet", "Chang et al."),
        ("model.interaction.fm", "Rendle"),
        ("model.interaction.dcn_v2", "Wang et al., DCN V2"),
        ("model.interaction.gated", "Wang et al., Towards Deeper"),
    ],
)
def test_what_happens_between_batch_and_towers_cites_its_source(key: str, author: str) -> None:
    (found,) = explain_key(key)
    assert found.source.startswith(author)


def test_an_algorithm_cites_its_source() -> None:
    (found,) = explain_key("model.architecture.mmoe")
    assert "KDD 2018" in found.source


def test_a_key_inside_a_chosen_kind_is_found() -> None:
    (found,) = explain_key("model.architecture.mmoe.n_experts")
    assert found.type == "integer > 0"


def test_names_that_the_user_chose_may_stand_in_the_key() -> None:
    assert explain_key("tasks.click.label")[0].meaning == explain_key("tasks.label")[0].meaning
    assert explain_key("data.joins[0].on")[0].meaning.startswith("Key columns")


def test_a_key_of_several_kinds_is_explained_for_each_meaning() -> None:
    found = explain_key("features.duration.min_count")
    assert len(found) == 2
    assert len(explain_key("tasks.click.label")) == 1


def test_without_a_key_the_sections_are_listed() -> None:
    (found,) = explain_key()
    assert [entry.name for entry in found.keys] == list(RunConfig.model_fields)


@pytest.mark.parametrize(
    ("key", "hint"), [("data.splitt", "split"), ("balancer.uncertanty", "uncertainty")]
)
def test_an_unknown_key_is_refused_with_a_suggestion(key: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        explain_key(key)
    assert hint in caught.value.hint


def test_every_key_of_the_configuration_has_a_meaning() -> None:
    def walk(key: str) -> None:
        for found in explain_key(key):
            for entry in found.keys:
                assert entry.meaning or entry.name == "kind", f"{key}.{entry.name}"
                walk(f"{key}.{entry.name}".lstrip("."))
            for choice in found.choices:
                walk(f"{key}.{choice.name}")

    walk("")


def test_the_schema_names_the_sections() -> None:
    assert set(json_schema()["properties"]) == set(RunConfig.model_fields)


def test_the_command_prints_text_and_json() -> None:
    assert "integer > 0" in CliRunner().invoke(app, ["training.epochs"]).stdout
    assert '"default": "2"' in CliRunner().invoke(app, ["training.epochs", "--json"]).stdout
    assert '"properties"' in CliRunner().invoke(app, ["--schema"]).stdout


def test_a_key_that_many_kinds_share_is_explained_once() -> None:
    found = explain_key("balancer.at")
    sections = [explanation.section for explanation in found]
    assert len(found) == 3
    assert any(
        'kind = "mgda", ' in section and 'kind = "nash", ' in section for section in sections
    )


def test_a_kind_is_explained_as_what_it_chooses() -> None:
    assert explain_key("balancer.kind")[0].choices == explain_key("balancer")[0].choices

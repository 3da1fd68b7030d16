"""Reading a configuration, and what a user is told when it is wrong."""

import math
from pathlib import Path

import pytest
from pydantic import ValidationError

from paretorank.architectures import AttentionMMoEConfig, MMoEConfig, SharedBottomConfig
from paretorank.balancing import PAPERecConfig, StaticConfig, UncertaintyConfig
from paretorank.config import RunConfig, load_config
from paretorank.foundation.errors import ConfigError
from paretorank.relations import ESCM2Config
from paretorank.schema import CategoricalFeature
from paretorank.tasks import BinaryTask, RankingConfig

MINIMAL = """
[data]
log = "log.parquet"
[features]
user_id = { kind = "categorical", dim = 8 }
[tasks.click]
kind = "binary"
label = "is_click"
[tasks.like]
kind = "binary"
label = "is_like"
parent = "click"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "ranker.toml"
    path.write_text(text, encoding="utf-8")
    return path


def load(folder: Path, more: str = "", *overrides: str) -> RunConfig:
    return load_config(write(folder, MINIMAL + more), overrides)


def refusal(folder: Path, text: str, *overrides: str) -> ConfigError:
    """Return the error, after checking what holds for all of them."""
    path = write(folder, text)
    with pytest.raises(ConfigError) as error:
        load_config(path, overrides)
    assert not isinstance(error.value.__cause__, ValidationError)
    assert error.value.__suppress_context__ or error.value.__context__ is None
    assert error.value.hint
    assert "pydantic" not in str(error.value) + error.value.hint
    return error.value


def test_only_data_features_and_tasks_are_needed(tmp_path: Path) -> None:
    config = load(tmp_path)
    assert config.features["user_id"] == CategoricalFeature(dim=8)
    assert list(config.tasks) == ["click", "like"]
    assert config.balancer.kind == "equal"
    assert config.path == tmp_path / "ranker.toml"
    assert config.folder == tmp_path


def test_label_specs_carry_what_the_data_preparation_needs(tmp_path: Path) -> None:
    specs = load(tmp_path).label_specs()
    assert [(spec.name, spec.column, spec.parent) for spec in specs] == [
        ("click", "is_click", None),
        ("like", "is_like", "click"),
    ]


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("training.epochs=5", lambda c: c.training.epochs == 5),
        ("training.learning_rate=1", lambda c: c.training.learning_rate == 1.0),
        ("training.learning_rate=1e-4", lambda c: c.training.learning_rate == 1e-4),
        (" training.epochs = 5 ", lambda c: c.training.epochs == 5),
        ("training.tensorboard=false", lambda c: c.training.tensorboard is False),
        ("data.log=other.csv", lambda c: c.data.log == "other.csv"),
        ('data.log="other.csv"', lambda c: c.data.log == "other.csv"),
        ('data.log=["a.csv", "b.csv"]', lambda c: c.data.log == ("a.csv", "b.csv")),
        ("balancer.kind=uncertainty", lambda c: c.balancer == UncertaintyConfig()),
        ('balancer={ kind = "static" }', lambda c: c.balancer == StaticConfig()),
        (
            "model.architecture.kind=shared_bottom",
            lambda c: c.model.architecture == SharedBottomConfig(),
        ),
        ("tasks.like.weight=0.5", lambda c: c.tasks["like"].weight == 0.5),
        ("features.user_id.dim=4", lambda c: c.features["user_id"].dim == 4),
        (
            'features.tab={ kind = "categorical" }',
            lambda c: c.features["tab"] == CategoricalFeature(),
        ),
        (
            "training.early_stopping.monitor=click.auc",
            lambda c: c.training.early_stopping.monitor == "click.auc",
        ),
        (
            'training.early_stopping.monitor={ "click.auc" = 0.7, "like.auc" = 0.3 }',
            lambda c: c.training.early_stopping.monitor == {"click.auc": 0.7, "like.auc": 0.3},
        ),
    ],
)
def test_a_key_can_be_set_from_the_command_line(
    tmp_path: Path, override: str, read: object
) -> None:
    assert callable(read)
    assert read(load(tmp_path, "", override))


def test_later_settings_win_and_may_meet_inside_a_section(tmp_path: Path) -> None:
    settings = (
        "training.epochs=5",
        "model.architecture.kind=attention_mmoe",
        "training.epochs=6",
        "model.architecture.n_experts=2",
        "model.architecture.expert_dims=[8]",
    )
    config = load(tmp_path, "", *settings)
    assert config.training.epochs == 6
    assert config.model.architecture == AttentionMMoEConfig(n_experts=2, expert_dims=(8,))


def test_a_setting_wins_over_the_file(tmp_path: Path) -> None:
    assert load(tmp_path, "[training]\nepochs = 9", "training.epochs=3").training.epochs == 3


@pytest.mark.parametrize("override", ["training.epochs", "=5", "training..epochs=5", ".a=1"])
def test_a_setting_that_is_no_assignment_is_refused(tmp_path: Path, override: str) -> None:
    error = refusal(tmp_path, MINIMAL, override)
    assert "not of the form key=value" in str(error)
    assert override in str(error)
    assert "--set training.epochs=2" in error.hint


def test_a_setting_below_something_that_is_no_section_is_refused(tmp_path: Path) -> None:
    error = refusal(tmp_path, MINIMAL, "data.log.file=3")
    assert "'log' is not a section" in str(error)


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        (MINIMAL + "[trainin]\nepochs = 1", "trainin", "Did you mean 'training'?"),
        (MINIMAL + "[training]\nepoch = 1", "training.epoch", "Did you mean 'epochs'?"),
        (
            MINIMAL + "[training.schedule]\nwarmup_fractions = 0.1",
            "training.schedule.warmup_fractions",
            "Did you mean 'warmup_fraction'?",
        ),
        (
            MINIMAL + '[model.architecture]\nkind = "mmoe"\nnum_experts = 3',
            "model.architecture.num_experts",
            "Did you mean 'n_experts'?",
        ),
        (
            MINIMAL + '[balancer]\nkind = "uncertainty"\nlowerbound = 3',
            "balancer.lowerbound",
            "Did you mean 'lower_bound'?",
        ),
        (
            MINIMAL.replace("dim = 8", "dimm = 8"),
            "features.user_id.dimm",
            "Did you mean 'dim'?",
        ),
        (
            MINIMAL + "[statistics]\nuser = { of = ['user_id'], smoth = 1 }",
            "statistics.user.smoth",
            "Did you mean 'smoothing'?",
        ),
        (
            MINIMAL.replace('parent = "click"', 'parents = "click"'),
            "tasks.like.parents",
            "Did you mean 'parent'?",
        ),
        (
            MINIMAL.replace('log = "log.parquet"', 'log = "a"\n[data.keys]\nusr = "u"'),
            "data.keys.usr",
            "Did you mean 'user'?",
        ),
        (
            MINIMAL.replace(
                'log = "log.parquet"', 'log = "a"\njoins = [{ table = "t", onn = "k" }]'
            ),
            "data.joins[0].onn",
            "Did you mean 'on'?",
        ),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_known_one(
    tmp_path: Path, text: str, place: str, hint: str
) -> None:
    error = refusal(tmp_path, text)
    assert str(error).startswith(f"{tmp_path / 'ranker.toml'}: {place} is not a key")
    assert hint in error.hint


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            MINIMAL + '[training]\nepochs = "two"',
            'training.epochs = "two": input should be a valid integer',
            "`paretorank explain training.epochs`",
        ),
        (MINIMAL + "[training]\nepochs = 0", "training.epochs = 0: input should be greater", ""),
        (MINIMAL + "[training]\nepochs = 1.5", "training.epochs = 1.5: input should be", ""),
        (MINIMAL + "[training]\ntensorboard = 1", "training.tensorboard = 1: input should", ""),
        (MINIMAL + "[training]\nlearning_rate = inf", "training.learning_rate = Infinity: ", ""),
        (MINIMAL + "[training]\nlearning_rate = nan", "training.learning_rate = NaN: ", ""),
        (
            MINIMAL + "[training.early_stopping]\nmonitor = 3",
            "training.early_stopping.monitor = 3: input should be",
            "`paretorank explain training.early_stopping.monitor`",
        ),
        (MINIMAL.replace('"log.parquet"', "3"), "data.log = 3: input should be", ""),
        (
            MINIMAL.replace("dim = 8", 'dim = "wide"'),
            'features.user_id.dim = "wide": input should be a valid integer',
            "`paretorank explain features.user_id.dim`",
        ),
        (
            MINIMAL.replace('{ kind = "categorical", dim = 8 }', '"categorical"'),
            'features.user_id = "categorical": ',
            "",
        ),
        (
            MINIMAL + '[model.architecture]\nkind = "mmoe"\nexpert_dims = [8, "x"]',
            'model.architecture.expert_dims[1] = "x": input should be a valid integer',
            "",
        ),
        (MINIMAL + "[training.schedule]\nkind = 'steps'", "training.schedule.kind = ", ""),
        (
            "data = 3\n" + MINIMAL.partition("[features]")[2].join(["[features]", ""]),
            "data = 3",
            "",
        ),
    ],
)
def test_a_value_of_the_wrong_kind_is_shown_with_the_rule(
    tmp_path: Path, text: str, message: str, hint: str
) -> None:
    error = refusal(tmp_path, text)
    assert f"{tmp_path / 'ranker.toml'}: {message}" in str(error)
    assert hint in error.hint


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        (
            MINIMAL + '[balancer]\nkind = "uncertanty"',
            "balancer.kind = 'uncertanty'",
            "Did you mean 'uncertainty'?",
        ),
        (
            MINIMAL + '[model.architecture]\nkind = "mmo"',
            "model.architecture.kind = 'mmo'",
            "Did you mean 'mmoe'?",
        ),
        (
            MINIMAL.replace('"categorical"', '"categoric"'),
            "features.user_id.kind = 'categoric'",
            "Did you mean 'categorical'?",
        ),
        (
            MINIMAL.replace('kind = "binary"\nlabel = "is_like"', 'kind = "x"\nlabel = "is_like"'),
            "tasks.like.kind = 'x'",
            "'binary', 'count', 'duration', 'ordinal', 'regression'",
        ),
    ],
)
def test_an_unknown_kind_is_named_with_the_known_ones(
    tmp_path: Path, text: str, place: str, hint: str
) -> None:
    error = refusal(tmp_path, text)
    assert f"ranker.toml: {place} is not known" in str(error)
    assert hint in error.hint


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (MINIMAL.replace('kind = "categorical", ', ""), "features.user_id"),
        (MINIMAL.replace('kind = "binary"\nlabel = "is_like"', 'label = "is_like"'), "tasks.like"),
    ],
)
def test_a_missing_kind_is_asked_for(tmp_path: Path, text: str, place: str) -> None:
    error = refusal(tmp_path, text)
    assert f"ranker.toml: {place} has no `kind`" in str(error)
    assert 'kind = "' in error.hint


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "data"),
        (MINIMAL.partition("[tasks.click]")[0], "tasks"),
        (MINIMAL.replace('log = "log.parquet"', ""), "data.log"),
        (MINIMAL.replace('label = "is_like"', ""), "tasks.like.label"),
        (MINIMAL + "[statistics]\nuser = { smoothing = 1 }", "statistics.user.of"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, text: str, place: str) -> None:
    error = refusal(tmp_path, text)
    assert f"ranker.toml: {place} is missing" in str(error)
    assert f"paretorank explain {place}" in error.hint


def test_a_misspelt_key_is_named_rather_than_the_one_that_is_missing_for_it(tmp_path: Path) -> None:
    error = refusal(tmp_path, MINIMAL.replace('label = "is_like"', 'lable = "is_like"'))
    assert "ranker.toml: tasks.like.lable is not a key (1 more)" in str(error)
    assert error.hint == "Did you mean 'label'?"


def test_several_mistakes_are_counted(tmp_path: Path) -> None:
    error = refusal(tmp_path, MINIMAL + '[training]\nepochs = "x"\nbatch_size = "y"\nseed = "z"')
    assert "(2 more)" in str(error)


def test_long_values_are_cut(tmp_path: Path) -> None:
    error = refusal(tmp_path, MINIMAL + f'[training]\nepochs = "{"x" * 500}"')
    assert len(str(error)) < 300


def test_a_parent_that_is_no_task_names_the_file(tmp_path: Path) -> None:
    error = refusal(tmp_path, MINIMAL.replace('parent = "click"', 'parent = "clik"'))
    assert str(error).startswith(f"{tmp_path / 'ranker.toml'}: ")
    assert "tasks.like.parent" in str(error)
    assert "Did you mean 'click'?" in error.hint


def test_parents_in_a_circle_are_refused(tmp_path: Path) -> None:
    error = refusal(tmp_path, MINIMAL, "tasks.click.parent=like")
    assert "click -> like -> click" in str(error)
    assert str(error).startswith(f"{tmp_path / 'ranker.toml'}: ")


def test_no_task_at_all_is_refused(tmp_path: Path) -> None:
    error = refusal(tmp_path, MINIMAL.partition("[tasks.click]")[0] + "[tasks]\n")
    assert "no task" in str(error)


@pytest.mark.parametrize("watch", ["clik.auc", "click.mae", "everything"])
def test_a_monitor_that_cannot_be_watched_is_refused_before_any_work(
    tmp_path: Path, watch: str
) -> None:
    error = refusal(tmp_path, MINIMAL, f"training.early_stopping.monitor={watch}")
    assert watch in str(error)
    assert str(error).startswith(f"{tmp_path / 'ranker.toml'}: ")


def test_a_ranking_loss_needs_batches_of_whole_requests(tmp_path: Path) -> None:
    ranking = 'tasks.click.ranking={kind = "listwise"}'
    error = refusal(tmp_path, MINIMAL, ranking)
    assert "`tasks.click.ranking`" in str(error)
    assert error.hint.startswith('Set training.loader.shuffle = "requests"')
    config = load(tmp_path, "", ranking, "training.loader.shuffle=requests")
    click = config.tasks["click"]
    assert isinstance(click, BinaryTask)
    assert click.ranking == RankingConfig(kind="listwise", weight=0.1)


def test_a_ranking_loss_that_a_relation_would_drop_is_refused(tmp_path: Path) -> None:
    settings = (
        'tasks.like.ranking={kind = "listwise"}',
        "training.loader.shuffle=requests",
        "model.relations.kind=esmm",
    )
    error = refusal(tmp_path, MINIMAL, *settings)
    assert "`tasks.like.ranking` would have no effect" in str(error)
    assert "esmm" in str(error)


def test_a_delay_that_a_relation_would_drop_is_refused(tmp_path: Path) -> None:
    settings = (
        "tasks.like.matures_after=3600",
        "tasks.like.delayed_feedback={mean_delay_s = 600}",
        "model.relations.kind=esmm",
    )
    error = refusal(tmp_path, MINIMAL, *settings)
    assert "`tasks.like.delayed_feedback` would have no effect" in str(error)
    assert load(tmp_path, "", *settings[:2]).tasks["like"].waits


def test_a_loss_reads_numeric_features_only(tmp_path: Path) -> None:
    watch = 'tasks.watch={kind = "duration", label = "w", loss = "d2q", duration_feature = "%s"}'
    error = refusal(tmp_path, MINIMAL, watch % "user_id")
    assert "`tasks.watch.duration_feature` must be a numeric feature, got 'user_id'" in str(error)
    config = load(tmp_path, '[features.length]\nkind = "numeric"', watch % "length")
    assert config.tasks["watch"].reads == "length"


def test_a_ranking_loss_must_be_one_that_exists(tmp_path: Path) -> None:
    error = refusal(tmp_path, MINIMAL, 'tasks.click.ranking={kind = "lambdarank"}')
    assert "tasks.click.ranking.kind" in str(error)


def test_bad_toml_names_file_and_line(tmp_path: Path) -> None:
    error = refusal(tmp_path, "[data]\nlog = \n")
    assert "ranker.toml is not valid TOML" in str(error)
    assert "line 2" in str(error)


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ranker.toml"
    path.write_bytes(b'[data]\nlog = "\xff"')
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_config(path)


def test_a_missing_file_leads_to_init(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.toml does not exist") as error:
        load_config(tmp_path / "nothing.toml")
    assert "paretorank init" in error.value.hint


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)


def test_dates_become_text(tmp_path: Path) -> None:
    split = 'by = "column"\ncolumn = "day"\nvalid = [2022-05-03]\ntest = [2022-05-04T00:00:00]'
    config = load(tmp_path, f"[data.split]\n{split}")
    assert config.data.split.valid == ("2022-05-03",)
    assert config.data.split.test == ("2022-05-04T00:00:00",)


def test_infinity_is_nowhere_a_value(tmp_path: Path) -> None:
    error = refusal(tmp_path, MINIMAL, f"statistics.user={{ of = ['u'], smoothing = {math.inf} }}")
    assert "statistics.user.smoothing" in str(error)


def test_a_key_of_the_default_kind_may_be_set_without_naming_the_kind(tmp_path: Path) -> None:
    path = tmp_path / "ranker.toml"
    path.write_text(
        '[data]\nlog = "log.parquet"\n[features]\nuser = { kind = "categorical" }\n'
        '[tasks.click]\nkind = "binary"\nlabel = "click"\n'
    )
    config = load_config(path, ["model.architecture.n_experts=4"])
    assert config.model.architecture == MMoEConfig(n_experts=4)


def test_a_model_that_its_features_do_not_allow_is_refused_with_the_file(tmp_path: Path) -> None:
    text = MINIMAL + '[model.architecture]\nkind = "pepnet"\nprior = ["usr_id"]\n'
    error = refusal(tmp_path, text)
    assert str(tmp_path / "ranker.toml") in str(error)
    assert "model.architecture.prior names 'usr_id'" in str(error)
    assert error.hint == "Did you mean 'user_id'?"


def test_a_position_must_be_a_feature_with_one_value_per_row(tmp_path: Path) -> None:
    several = MINIMAL.replace("dim = 8", "multi = true") + '[model]\nposition = "user_id"'
    assert "model.position" in str(refusal(tmp_path, several))
    unknown = refusal(tmp_path, MINIMAL + '[model]\nposition = "user_idd"')
    assert unknown.hint == "Did you mean 'user_id'?"


def test_parents_may_be_several(tmp_path: Path) -> None:
    more = '[tasks.buy]\nkind = "binary"\nlabel = "b"\nparent = ["click", "like"]'
    config = load(tmp_path, more)
    assert config.tasks["buy"].parents == ("click", "like")
    assert config.tasks["like"].parents == ("click",)
    error = refusal(tmp_path, MINIMAL + more.replace('"like"', '"lik"'))
    assert error.hint == "Did you mean 'like'?"
    assert "tasks.buy.parent" in str(refusal(tmp_path, MINIMAL + more.replace('"like"', "3")))


def test_relations_are_chosen_by_kind(tmp_path: Path) -> None:
    more = '[model.relations]\nkind = "escm2"\nestimator = "dr"\nclip = 0.1'
    assert load(tmp_path, more).model.relations == ESCM2Config(estimator="dr", clip=0.1)
    error = refusal(tmp_path, MINIMAL + '[model.relations]\nkind = "esm"')
    assert "model.relations" in str(error)


@pytest.mark.parametrize("bounds", ["{ clik = 0.2 }", "{ click = 0.7, like = 0.6 }"])
def test_bounds_that_do_not_fit_the_tasks_are_refused_with_the_file(
    tmp_path: Path, bounds: str
) -> None:
    with pytest.raises(ConfigError, match=r"ranker\.toml: `balancer\.bounds`"):
        load(tmp_path, f'[balancer]\nkind = "pe_ltr"\nbounds = {bounds}\n')


def test_weights_of_rows_can_be_told_apart_by_a_categorical_feature_only(tmp_path: Path) -> None:
    chosen = '[balancer]\nkind = "paperec"\nsegment = "user_id"\n'
    assert load(tmp_path, chosen).balancer == PAPERecConfig(segment="user_id")
    error = refusal(tmp_path, MINIMAL + chosen.replace("user_id", "user"))
    assert "ranker.toml: `balancer.segment` must name a categorical feature" in str(error)
    assert error.hint == "Did you mean 'user_id'?"


def test_micro_batches_are_refused_with_the_file_where_rows_are_weighed_together(
    tmp_path: Path,
) -> None:
    chosen = '[balancer]\nkind = "paperec"\n[training]\nmicro_batch_size = 64\n'
    with pytest.raises(ConfigError, match=r"ranker\.toml: `training\.micro_batch_size` = 64"):
        load(tmp_path, chosen)

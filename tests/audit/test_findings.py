from pathlib import Path

import numpy as np
import polars as pl
import pytest

from paretorank.audit.audit import audit_data
from paretorank.audit.finding import Finding
from paretorank.foundation.errors import DataError
from paretorank.schema import (
    CategoricalFeature,
    DataConfig,
    FeatureConfig,
    JoinConfig,
    KeysConfig,
    LabelSpec,
    NumericFeature,
    SequenceFeature,
    SplitConfig,
)

N = 6_000
KEYS = KeysConfig(user="user_id", item="video_id", time="time")
FEATURES: dict[str, FeatureConfig] = {
    "user_id": CategoricalFeature(),
    "video_id": CategoricalFeature(),
    "duration": NumericFeature(),
}
CLICK = LabelSpec(name="click", column="is_click", kind="binary")


def log(**columns: object) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    item = rng.integers(0, 150, N)
    click = rng.random(N) < 0.2 + 0.4 * (item % 2)
    base = {
        "user_id": rng.integers(0, 300, N),
        "video_id": item,
        "time": 1_650_000_000 + np.arange(N) * 60,
        "duration": 5.0 + item,
        "is_click": click.astype(np.int64),
    }
    return pl.DataFrame({**base, **columns})


def audited(
    folder: Path,
    frame: pl.DataFrame,
    *,
    features: dict[str, FeatureConfig] | None = None,
    labels: tuple[LabelSpec, ...] = (CLICK,),
    **data: object,
) -> list[Finding]:
    frame.write_parquet(folder / "log.parquet")
    content = {"log": "log.parquet", "keys": KEYS, "split": SplitConfig(by="time"), **data}
    config = DataConfig.model_validate(content)
    return audit_data(config, folder, FEATURES | (features or {}), labels)


def of(findings: list[Finding], check: str) -> list[Finding]:
    return [finding for finding in findings if finding.check == check]


def chance(rate: float, seed: int = 1) -> np.ndarray:
    return (np.random.default_rng(seed).random(N) < rate).astype(np.int64)


def test_a_clean_log_raises_no_alarm(tmp_path: Path) -> None:
    findings = audited(tmp_path, log())
    assert {finding.severity for finding in findings} == {"note"}
    assert {finding.check for finding in findings} <= {"split sizes", "unseen entities"}


def test_a_label_as_feature_is_serious(tmp_path: Path) -> None:
    found = of(
        audited(tmp_path, log(), features={"is_click": CategoricalFeature()}), "label as feature"
    )
    assert [finding.severity for finding in found] == ["serious"]


def test_a_column_with_the_order_of_a_label_is_serious(tmp_path: Path) -> None:
    frame = log().with_columns(twice=pl.col("is_click") * 2 + 1)
    found = of(
        audited(tmp_path, frame, features={"twice": NumericFeature()}), "derived from a label"
    )
    assert found[0].severity == "serious"


def test_a_column_that_is_filled_only_after_the_label_is_serious(tmp_path: Path) -> None:
    frame = log().with_columns(depth=pl.col("is_click") * pl.Series(chance(0.2)) * 7)
    found = of(
        audited(tmp_path, frame, features={"depth": NumericFeature()}), "derived from a label"
    )
    assert "not zero only where click happened" in found[0].problem


def test_an_outcome_as_feature_is_serious_and_an_unused_one_a_note(tmp_path: Path) -> None:
    frame = log(play_time=np.random.default_rng(2).lognormal(2, 1, N))
    unused = of(audited(tmp_path, frame), "outcome")
    used = of(
        audited(tmp_path, frame, features={"play_time": NumericFeature()}), "outcome as feature"
    )
    assert [(f.severity, f.place) for f in unused] == [("note", "log.play_time")]
    assert used[0].severity == "serious"


def test_a_feature_that_alone_knows_the_answer_is_serious(tmp_path: Path) -> None:
    noise = np.random.default_rng(3).normal(size=N)
    frame = log().with_columns(oracle=pl.col("is_click") * 5 + pl.Series(noise))
    found = of(audited(tmp_path, frame, features={"oracle": NumericFeature()}), "leakage")
    assert [(f.severity, f.place) for f in found] == [("serious", "features.oracle")]


def test_a_good_feature_is_no_leak(tmp_path: Path) -> None:
    noise = np.random.default_rng(4).normal(size=N)
    frame = log().with_columns(hint=pl.col("is_click") * 1.2 + pl.Series(noise))
    assert not of(audited(tmp_path, frame, features={"hint": NumericFeature()}), "leakage")


def test_a_list_that_already_holds_the_item_is_a_leak(tmp_path: Path) -> None:
    frame = log()
    own = frame.select(
        pl.when(pl.col("is_click") == 1).then(pl.col("video_id")).otherwise(-1).alias("last")
    )["last"]
    frame = frame.with_columns(liked=pl.concat_list(own, pl.lit(-2, pl.Int64)))
    found = of(
        audited(tmp_path, frame, features={"liked": SequenceFeature(table="video_id")}), "leakage"
    )
    assert [f.severity for f in found] == ["serious"]


def test_whole_period_counts_leak_when_joined_and_warn_when_lying_there(tmp_path: Path) -> None:
    frame = log()
    counts = frame.group_by("video_id").agg(
        like_cnt=pl.col("is_click").sum(), click_rate=pl.col("is_click").mean(), show_cnt=pl.len()
    )
    counts.write_parquet(tmp_path / "items.parquet")
    lying = of(audited(tmp_path, frame), "whole-period statistics")
    joins = (JoinConfig(table="items.parquet", on="video_id"),)
    features: dict[str, FeatureConfig] = {"like_cnt": NumericFeature()}
    read = of(audited(tmp_path, frame, features=features, joins=joins), "whole-period statistics")
    unread = of(audited(tmp_path, frame, joins=joins), "whole-period statistics")
    assert [(f.severity, f.place) for f in lying] == [("warning", "items.parquet")]
    assert [(f.severity, f.place) for f in read] == [("serious", "features.like_cnt")]
    assert [f.severity for f in unread] == ["warning"]


def test_a_table_of_traits_is_no_statistic(tmp_path: Path) -> None:
    traits = pl.DataFrame({"video_id": range(150), "width": range(150), "author_id": range(150)})
    traits.write_parquet(tmp_path / "items.parquet")
    joins = (JoinConfig(table="items.parquet", on="video_id"),)
    features: dict[str, FeatureConfig] = {"width": NumericFeature()}
    findings = audited(tmp_path, log(), features=features, joins=joins)
    assert not of(findings, "whole-period statistics")


def test_duplicate_rows_are_counted_and_known_when_dropped(tmp_path: Path) -> None:
    frame = pl.concat([log(), log().head(60)])
    kept = of(audited(tmp_path, frame), "duplicate rows")
    dropped = of(audited(tmp_path, frame, drop_duplicates=True), "duplicate rows")
    assert (kept[0].severity, kept[0].numbers["repeated"]) == ("warning", 60)
    assert dropped[0].severity == "note"


def test_duplicates_in_two_splits_are_an_overlap(tmp_path: Path) -> None:
    frame = pl.concat([log(), log()])
    found = of(audited(tmp_path, frame, split=SplitConfig(by="random")), "split overlap")
    assert {finding.severity for finding in found} == {"warning"}
    assert not of(audited(tmp_path, frame), "split overlap")


def test_impressions_that_repeat_with_other_labels_are_named(tmp_path: Path) -> None:
    again = log().head(60).with_columns(is_click=1 - pl.col("is_click"))
    found = of(audited(tmp_path, pl.concat([log(), again])), "repeated impressions")
    assert found[0].numbers["repeated"] == 60


def test_constant_columns_are_named(tmp_path: Path) -> None:
    frame = log(is_rand=np.zeros(N, np.int64), empty=pl.Series([None] * N, dtype=pl.Float64))
    findings = of(
        audited(tmp_path, frame, features={"is_rand": CategoricalFeature()}), "constant column"
    )
    assert [(f.severity, f.place) for f in findings] == [
        ("warning", "features.is_rand"),
        ("note", "data"),
    ]


def test_codes_zeros_and_extremes_are_named_until_they_are_declared(tmp_path: Path) -> None:
    play = np.random.default_rng(5).lognormal(2, 0.5, N)
    play[0] = 1e6
    frame = log(play_time=play, degree=np.where(chance(0.2) == 1, -124, 3)).with_columns(
        duration=pl.when(pl.col("video_id") < 3).then(0.0).otherwise(pl.col("duration"))
    )
    watch = LabelSpec(name="watch", column="play_time", kind="duration")
    bare = audited(
        tmp_path, frame, features={"degree": CategoricalFeature()}, labels=(CLICK, watch)
    )
    told = audited(
        tmp_path,
        frame,
        features={
            "degree": CategoricalFeature(missing=(-124,)),
            "duration": NumericFeature(missing=(0,)),
        },
        labels=(CLICK, watch.model_copy(update={"clip": 60.0})),
    )
    for check in ("missing code", "zero values", "extreme values"):
        assert [f.severity for f in of(bare, check)] == ["warning"], check
        assert [f.severity for f in of(told, check)] == ["note"], check


def test_impossible_labels_are_serious(tmp_path: Path) -> None:
    frame = log().with_columns(is_click=pl.col("is_click") * 2)
    found = of(audited(tmp_path, frame), "impossible label")
    assert [f.severity for f in found] == ["serious"]


def test_no_task_is_serious(tmp_path: Path) -> None:
    assert of(audited(tmp_path, log(), labels=()), "no task")[0].severity == "serious"


def test_a_parent_that_the_data_contradict_is_named_with_numbers(tmp_path: Path) -> None:
    frame = log(is_like=chance(0.1))
    like = LabelSpec(name="like", column="is_like", kind="binary", parent="click")
    found = of(audited(tmp_path, frame, labels=(CLICK, like)), "sample space")
    stray = frame.filter((pl.col("is_like") == 1) & (pl.col("is_click") == 0)).height
    assert found[0].numbers["rows"] == stray


def test_positives_without_any_of_several_parents_are_counted(tmp_path: Path) -> None:
    frame = log(is_play=chance(0.5), is_like=chance(0.1, seed=2))
    play = LabelSpec(name="play", column="is_play", kind="binary")
    like = LabelSpec(name="like", column="is_like", kind="binary", parent=("click", "play"))
    found = of(audited(tmp_path, frame, labels=(CLICK, play, like)), "sample space")
    for column in ("is_click", "is_play"):
        stray = frame.filter((pl.col("is_like") == 1) & (pl.col(column) == 0)).height
        assert stray in [finding.numbers["rows"] for finding in found]
    assert len(found) == 2


def test_zeros_that_may_still_change_are_missing_labels(tmp_path: Path) -> None:
    frame, ten_hours = log(), 600
    label = CLICK.model_copy(update={"matures_after": 60.0 * ten_hours})
    (found,) = of(audited(tmp_path, frame, labels=(label,)), "missing labels")
    young = frame.tail(ten_hours).filter(pl.col("is_click") == 0).height
    assert found.numbers["share"] == pytest.approx(young / N, abs=1e-5)


def test_a_split_at_random_travels_in_time(tmp_path: Path) -> None:
    split = SplitConfig(by="random")
    assert of(audited(tmp_path, log(), split=split), "time travel")[0].severity == "warning"
    assert not of(audited(tmp_path, log()), "time travel")


def test_an_empty_split_is_serious(tmp_path: Path) -> None:
    split = SplitConfig(by="column", column="user_id", valid=(1,), test=(-5,))
    found = of(audited(tmp_path, log(), split=split), "empty split")
    assert [f.severity for f in found] == ["serious"]


def test_a_rare_task_is_poor_in_every_split(tmp_path: Path) -> None:
    rare = LabelSpec(name="hate", column="hate", kind="binary")
    found = of(audited(tmp_path, log(hate=chance(0.002)), labels=(CLICK, rare)), "poor split")
    assert {f.place for f in found} == {"tasks.hate"}


def test_a_jump_between_days_is_drift(tmp_path: Path) -> None:
    late = (np.arange(N) > N // 2).astype(np.int64)
    frame = log(is_like=chance(0.1) + chance(0.3, seed=2) * late * (1 - chance(0.1)))
    like = LabelSpec(name="like", column="is_like", kind="binary")
    found = of(audited(tmp_path, frame, labels=(CLICK, like)), "drift")
    assert [f.place for f in found] == ["tasks.like"]


def test_missing_labels_are_noted(tmp_path: Path) -> None:
    frame = log().with_columns(
        is_click=pl.when(pl.Series(chance(0.5)) == 1).then(pl.col("is_click"))
    )
    assert of(audited(tmp_path, frame), "missing labels")[0].severity == "note"


def test_findings_come_worst_first(tmp_path: Path) -> None:
    frame = pl.concat([log(), log().head(60)])
    findings = audited(tmp_path, frame, features={"is_click": CategoricalFeature()})
    order = [("serious", "warning", "note").index(f.severity) for f in findings]
    assert order == sorted(order)


def test_an_absent_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="asks for the column 'ghost'"):
        audited(tmp_path, log(), features={"ghost": NumericFeature()})

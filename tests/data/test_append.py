"""New files of a log join a prepared data set, and what was there stays as it was."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from paretorank.data import ingest
from paretorank.data.append import Appended, append_log
from paretorank.data.encoded import EncodedRows
from paretorank.data.encoder import Encoder
from paretorank.data.encoder_store import load_encoder
from paretorank.data.ingest import IngestRequest, encode_rows, ingest_log, prepare_frame
from paretorank.data.shard_format import ENCODER_FOLDER, MANIFEST, Manifest, SourceFile
from paretorank.data.shard_reader import ShardSet
from paretorank.data.splits import SPLIT_COLUMN, SPLITS
from paretorank.data.vocabulary import Vocabulary
from paretorank.foundation.errors import DataError, ShardError
from paretorank.foundation.progress import Progress
from paretorank.schema import (
    CategoricalFeature,
    DataConfig,
    FeatureConfig,
    HistoryFeature,
    JoinConfig,
    KeysConfig,
    LabelSpec,
    NumericFeature,
    SequenceFeature,
    SplitConfig,
    SplitName,
    StatisticConfig,
)

DAY_ROWS, DAY_S = 200, 86_400
LABELS = (
    LabelSpec(name="click", column="click", kind="binary"),
    LabelSpec(name="watch", column="watch", kind="duration", observed_when="click", scale=0.001),
)
FEATURES: dict[str, FeatureConfig] = {
    "user": CategoricalFeature(),
    "item": CategoricalFeature(min_count=3),
    "tags": CategoricalFeature(multi=True, separator="|"),
    "bucket": CategoricalFeature(column="item", hash_buckets=7),
    "age": NumericFeature(encoding="log"),
    "price": NumericFeature(encoding="piecewise_linear", n_bins=4),
    "seen": SequenceFeature(table="item", max_length=2),
    "taste": HistoryFeature(column="seen", item="item", match=("author",)),
}
STATISTICS = {
    "user": StatisticConfig(of=("user",)),
    "cross": StatisticConfig(of=("user", "author"), tasks=("click",), smoothing=2.0),
}
SPLITTINGS = {
    "time": SplitConfig(by="time", valid_fraction=0.2, test_fraction=0.1),
    "user": SplitConfig(by="user", valid_fraction=0.2, test_fraction=0.2),
    "request": SplitConfig(by="request", valid_fraction=0.2, test_fraction=0.2),
    "random": SplitConfig(by="random", valid_fraction=0.2, test_fraction=0.2),
    "column": SplitConfig(by="column", column="part", valid=(1,), test=(2,)),
}


def _day(number: int) -> pl.DataFrame:
    """Return the rows of a day; every day brings items and users of its own."""
    generator = np.random.default_rng(number)
    item = generator.integers(30 * number, 30 * number + 50, DAY_ROWS)
    users = generator.integers(8 * number, 8 * number + 16, DAY_ROWS)
    click = generator.integers(0, 2, DAY_ROWS)
    return pl.DataFrame(
        {
            "user": [f"u{user}" if user else None for user in users],
            "item": item,
            "author": item % 9,
            "tags": [f"t{tag}|all" if tag else None for tag in users],
            "price": generator.random(DAY_ROWS),
            "age": generator.integers(0, 90, DAY_ROWS).astype(np.float64),
            "seen": [
                generator.choice(item, n).tolist() for n in generator.integers(0, 5, DAY_ROWS)
            ],
            "request": generator.integers(0, 40, DAY_ROWS),
            "time": number * DAY_S + generator.permutation(DAY_ROWS) * 400,
            "part": generator.integers(0, 3, DAY_ROWS),
            "click": click,
            "watch": np.where(click == 1, generator.integers(0, 90_000, DAY_ROWS), -1),
        }
    )


def _write(folder: Path, number: int, day: pl.DataFrame | None = None) -> None:
    (folder / "log").mkdir(exist_ok=True)
    path = folder / "log" / f"day-{number}.parquet"
    (_day(number) if day is None else day).write_parquet(path)


def _request(folder: Path, by: str = "time", **data: object) -> IngestRequest:
    files = sorted((folder / "log").iterdir())
    sources = [
        SourceFile(path=str(f), size=f.stat().st_size, mtime_ns=f.stat().st_mtime_ns) for f in files
    ]
    config = DataConfig.model_validate(
        {
            "log": tuple(source.path for source in sources),
            "keys": KeysConfig(user="user", request="request", time="time"),
            "split": SPLITTINGS[by],
            "shard_rows": 64,
            **data,
        }
    )
    return IngestRequest(
        config,
        folder,
        FEATURES,
        STATISTICS,
        LABELS,
        made_from=str(len(sources)),
        sources=sources,
        configuration={"data.split": by, "features": "as ever"},
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a folder with the log of two days."""
    for number in (0, 1):
        _write(tmp_path, number)
    return tmp_path


def _prepare(place: Path, by: str = "time", **data: object) -> Path:
    target = place / "set"
    ingest_log(_request(place, by, **data), target)
    return target


def _append(place: Path, by: str = "time", **data: object) -> Appended:
    return append_log(_request(place, by, **data), place / "set")


def _read(folder: Path, split: SplitName) -> EncodedRows:
    shards = ShardSet(folder, Manifest.read(folder), split)
    return shards.read(0, len(shards))


def _bytes(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def _encoder(folder: Path) -> Encoder:
    return load_encoder(folder / ENCODER_FOLDER)


def _known(encoder: Encoder, name: str) -> list[int | str]:
    vocabulary = encoder.vocabularies[name]
    assert isinstance(vocabulary, Vocabulary)
    return vocabulary.values.to_list()


@pytest.mark.parametrize("by", SPLITTINGS)
def test_the_shards_that_were_there_keep_their_bytes_and_names(place: Path, by: str) -> None:
    target = _prepare(place, by)
    before, manifest = _bytes(target / "shards"), Manifest.read(target)
    _write(place, 2)
    _append(place, by)
    after = _bytes(target / "shards")
    assert {name: after[name] for name in before} == before
    assert len(after) > len(before)
    entries = Manifest.read(target).shards
    assert [(e.name, e.digests) for e in entries[: len(manifest.shards)]] == [
        (e.name, e.digests) for e in manifest.shards
    ]
    assert len({entry.name for entry in entries}) == len(entries)


@pytest.mark.parametrize("by", SPLITTINGS)
def test_everything_matches_its_checksum_and_no_row_is_lost_or_doubled(
    place: Path, by: str
) -> None:
    target = _prepare(place, by)
    for number in (2, 3):
        _write(place, number)
        assert _append(place, by).n_rows == DAY_ROWS
    manifest = Manifest.read(target)
    for split in SPLITS:
        ShardSet(target, manifest, split).verify()
    rows = np.concatenate([_read(target, split).row for split in SPLITS])
    assert sorted(rows.tolist()) == list(range(4 * DAY_ROWS))
    assert manifest.n_log_rows == 4 * DAY_ROWS
    assert list(place.glob(".set*")) == []


@pytest.mark.parametrize("by", ["user", "request", "random", "column"])
def test_new_rows_are_split_as_if_all_were_prepared_at_once(
    place: Path, tmp_path: Path, by: str
) -> None:
    target = _prepare(place, by)
    _write(place, 2)
    _append(place, by)
    ingest_log(_request(place, by), tmp_path / "whole")
    for split in SPLITS:
        one, two = _read(target, split), _read(tmp_path / "whole", split)
        assert one.row.tolist() == two.row.tolist()
        assert one.user.tolist() == two.user.tolist()
        np.testing.assert_array_equal(one.labels, two.labels)


def test_a_split_by_time_rolls_on(place: Path) -> None:
    target = _prepare(place)
    assert [Manifest.read(target).n_rows(split) for split in SPLITS] == [280, 80, 40]
    for number, n_train in ((2, 400 + 140), (3, 600 + 140)):
        _write(place, number)
        manifest = _append(place).manifest
        assert [manifest.n_rows(split) for split in SPLITS] == [n_train, 40, 20]
        assert manifest.split_from == number * DAY_ROWS
        times = np.concatenate([_day(n)["time"].to_numpy() for n in range(number + 1)])
        train, valid, test = (times[_read(target, split).row] for split in SPLITS)
        assert train.max() < valid.min() < valid.max() < test.min()


def test_the_rule_of_the_manifest_finds_the_rolled_splits_in_the_log(place: Path) -> None:
    target = _prepare(place)
    _write(place, 2)
    manifest = _append(place).manifest
    request = replace(_request(place), split_from=manifest.split_from)
    codes = prepare_frame(request).collect()[SPLIT_COLUMN].to_numpy()
    for code, split in enumerate(SPLITS):
        assert np.flatnonzero(codes == code).tolist() == sorted(_read(target, split).row.tolist())


@pytest.mark.parametrize("by", SPLITTINGS)
def test_labels_are_counted_in_the_split_where_they_are_now(place: Path, by: str) -> None:
    target = _prepare(place, by)
    _write(place, 2)
    manifest = _append(place, by).manifest
    for summary in manifest.labels:
        labels = _read(target, summary.split).labels
        label = labels[:, manifest.layout.task_names.index(summary.task)]
        assert summary.n_observed == (~np.isnan(label)).sum()
        assert summary.mean == pytest.approx(np.nanmean(label), rel=1e-5)


def test_known_values_keep_their_codes_and_new_ones_come_after(place: Path) -> None:
    target = _prepare(place, "column")
    before = _encoder(target)
    _write(place, 2)
    manifest = _append(place, "column").manifest
    after = _encoder(target)
    day = _day(2).filter(pl.col("part") == 0)
    for name, min_count in (("user", 2), ("item", 3)):
        old, new = _known(before, name), _known(after, name)
        assert new[: len(old)] == old
        counts = day[name].drop_nulls().value_counts().filter(pl.col("count") >= min_count)
        expected = counts.filter(~pl.col(name).is_in(old)).sort(
            ["count", name], descending=[True, False]
        )
        assert len(expected)
        assert new[len(old) :] == expected[name].to_list()
        assert manifest.layout.table(name).n_codes == len(new) + 2
    assert after.vocabularies["bucket"] == before.vocabularies["bucket"]
    assert after.layout == manifest.layout
    rows = _read(target, "train")
    of_day = rows.row >= 2 * DAY_ROWS
    assert rows.codes[of_day, 0].max() >= len(_known(before, "user")) + 2
    assert rows.codes[~of_day, 0].max() < len(_known(before, "user")) + 2


def test_items_of_histories_are_added_and_known_ones_stay(place: Path) -> None:
    target = _prepare(place, "column")
    before = _encoder(target).histories["taste"].item_values[0]
    changed = _day(2).with_columns(author=pl.col("author") + 1)
    _write(place, 2, changed)
    _append(place, "column")
    after = _encoder(target).histories["taste"].item_values[0]
    assert len(after.items) > len(before.items)
    assert (np.diff(after.items.astype(object)) > 0).all()
    assert after.look_up(before.items).tolist() == before.values.tolist()


def test_numbers_and_columns_stay_even_where_values_are_missing_now(place: Path) -> None:
    target = _prepare(place, "column")
    before = _encoder(target)
    _write(place, 2, _day(2).with_columns(age=pl.lit(None, pl.Float64), price=pl.col("price") * 9))
    _append(place, "column")
    after = _encoder(target)
    assert after.numbers == before.numbers
    assert after.layout.numeric == before.layout.numeric
    assert not after.layout.numeric[0].has_missing
    rows = _read(target, "train")
    age = rows.numeric[rows.row >= 2 * DAY_ROWS, 0]
    expected = before.numbers["age"].transform(np.array([np.nan]))
    np.testing.assert_array_equal(age, np.full(len(age), expected[0], np.float32))


@pytest.mark.parametrize("by", SPLITTINGS)
def test_statistics_are_those_of_one_ingest_over_the_same_training_rows(
    place: Path, tmp_path: Path, by: str
) -> None:
    target = _prepare(place, by)
    for number in (2, 3):
        _write(place, number)
        _append(place, by)
    train = _read(target, "train").row
    whole = pl.concat([_day(number) for number in range(4)])
    is_train = pl.Series(np.isin(np.arange(len(whole)), train))
    log = whole.with_columns(part=pl.when(is_train).then(0).otherwise(2)).lazy()
    request = replace(_request(place, "column"), log=log)
    ingest_log(request, tmp_path / "whole")
    for name, expected in _encoder(tmp_path / "whole").statistics.items():
        found = _encoder(target).statistics[name]
        assert found.keys.tolist() == expected.keys.tolist()
        assert found.totals.rows.tolist() == expected.totals.rows.tolist()
        assert found.totals.counts.tolist() == expected.totals.counts.tolist()
        np.testing.assert_allclose(found.totals.sums, expected.totals.sums, rtol=1e-12)


@pytest.mark.parametrize("by", ["time", "user"])
def test_new_training_rows_see_the_tables_of_before_and_later_rows_those_of_now(
    place: Path, by: str
) -> None:
    target = _prepare(place, by)
    known = _encoder(target)
    _write(place, 2)
    _append(place, by)
    grown = _encoder(target)
    request = _request(place, by)
    frame = prepare_frame(request, with_split=False).collect()
    for split in SPLITS:
        rows = _read(target, split)
        new = rows.take(np.flatnonzero(rows.row >= 2 * DAY_ROWS))
        assert len(new)
        chunk = frame[new.row]
        own = known.look_up_statistics(chunk) if split == "train" else None
        expected = encode_rows(chunk, grown, request.data, own)
        np.testing.assert_array_equal(new.numeric, expected.numeric)
        np.testing.assert_array_equal(new.codes, expected.codes)
        np.testing.assert_array_equal(new.ragged[1].values, expected.ragged[1].values)


def test_labels_of_the_new_rows_do_not_reach_their_own_inputs(place: Path, tmp_path: Path) -> None:
    target = _prepare(place)
    other = tmp_path / "other"
    other.mkdir()
    for number in (0, 1):
        _write(other, number)
    _prepare(other)
    _write(place, 2)
    _write(other, 2, _day(2).with_columns(click=1 - pl.col("click"), watch=pl.lit(7000, pl.Int64)))
    _append(place)
    _append(other)
    one, two = _read(target, "train"), _read(other / "set", "train")
    np.testing.assert_array_equal(one.numeric, two.numeric)
    assert not np.array_equal(one.labels, two.labels, equal_nan=True)


def test_nothing_new_changes_nothing(place: Path) -> None:
    target = _prepare(place)
    before = _bytes(target)
    appended = _append(place)
    assert (appended.n_rows, appended.files) == (0, ())
    assert _bytes(target) == before


def test_side_tables_may_differ_and_are_read_anew(place: Path) -> None:
    log = place / "log"
    for number in (0, 1):
        _write(place, number, _day(number).drop("author"))
    items = pl.DataFrame({"item": np.arange(80), "author": np.arange(80) % 9})
    items.write_parquet(place / "items.parquet")
    joins = (JoinConfig(table="items.parquet", on="item"),)
    target = _prepare(place, joins=joins)
    shards = _bytes(target / "shards")
    more = pl.DataFrame({"item": np.arange(200), "author": np.arange(200) % 7})
    more.write_parquet(place / "items.parquet")
    request = replace(_request(place, joins=joins), made_from="other side table")
    assert append_log(request, target).files == ()
    assert Manifest.read(target).made_from == "other side table"
    assert _bytes(target / "shards") == shards
    _write(place, 2, _day(2).drop("author"))
    assert _append(place, joins=joins).files == (str(log / "day-2.parquet"),)
    assert len(_encoder(target).histories["taste"].item_values[0].items) == 200


def test_repeated_rows_are_dropped_across_files(place: Path) -> None:
    target = _prepare(place, "column", drop_duplicates=True)
    fresh = _day(2).with_columns(time=pl.col("time") + DAY_S)
    _write(place, 2, pl.concat([fresh, _day(1).head(50), fresh.head(50)]))
    assert _append(place, "column", drop_duplicates=True).n_rows == DAY_ROWS
    assert Manifest.read(target).n_log_rows == 3 * DAY_ROWS


def test_progress_counts_the_new_rows_only(place: Path) -> None:
    _prepare(place)
    _write(place, 2)
    events: list[Progress] = []
    append_log(_request(place), place / "set", events.append)
    last = {event.stage: (event.done, event.total) for event in events}
    assert last == {"roll": (120, 120), "fit": (140, 140), "encode": (200, 200)}


def test_where_files_cannot_be_linked_they_are_copied(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    target = _prepare(place)
    before = _bytes(target / "shards")
    monkeypatch.setattr(Path, "hardlink_to", refuse)
    _write(place, 2)
    _append(place)
    after = _bytes(target / "shards")
    assert {name: after[name] for name in before} == before
    ShardSet(target, Manifest.read(target), "train").verify()


REFUSED = {
    "earlier": (_day(2).with_columns(time=pl.col("time") - DAY_S), "go backwards by"),
    "kind": (_day(2).with_columns(click=pl.lit(3, pl.Int64)), "are not 0, 1 or missing"),
    "empty": (_day(2).head(0), "bring no row"),
    "one moment": (_day(2).with_columns(time=pl.lit(9 * DAY_S, pl.Int64)), "leave none for valid"),
    "column": (_day(2).drop("age"), "age"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_rows_that_do_not_fit_are_refused_and_nothing_changes(place: Path, name: str) -> None:
    target = _prepare(place)
    before = _bytes(target)
    day, problem = REFUSED[name]
    _write(place, 2, day)
    with pytest.raises(DataError, match=problem):
        _append(place)
    assert _bytes(target) == before
    assert list(place.glob(".set*")) == []


def test_another_configuration_is_refused_by_name(place: Path) -> None:
    target = _prepare(place)
    _write(place, 2)
    request = replace(_request(place), configuration={"data.split": "time", "features": "other"})
    with pytest.raises(ShardError, match="what differs: features") as caught:
        append_log(request, target)
    assert "--force" in caught.value.hint


def test_a_data_set_of_rows_in_hand_is_refused(place: Path) -> None:
    target = place / "set"
    ingest_log(replace(_request(place), log=_day(0).lazy(), sources=()), target)
    with pytest.raises(ShardError, match="nobody can tell new from known"):
        _append(place)


def test_without_a_data_set_the_way_to_one_is_told(place: Path) -> None:
    with pytest.raises(ShardError, match="holds no prepared data set") as caught:
        _append(place)
    assert "paretorank ingest CONFIG" in caught.value.hint


@pytest.mark.parametrize("damage", ["encoder", "shard"])
def test_a_damaged_data_set_is_not_appended_to(place: Path, damage: str) -> None:
    target = _prepare(place)
    if damage == "encoder":
        file = target / ENCODER_FOLDER / "statistic-0.parquet"
        file.write_bytes(file.read_bytes() + b"?")
    else:
        file = target / "shards" / "train-00000" / "codes.npy"
        file.unlink()
    before = _bytes(target)
    _write(place, 2)
    with pytest.raises(ShardError, match=file.name) as caught:
        _append(place)
    assert "--force" in caught.value.hint
    assert _bytes(target) == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_a_failure_in_the_middle_leaves_the_data_set_of_before(
    place: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(*_: object) -> EncodedRows:
        raise error

    target = _prepare(place)
    before = _bytes(target)
    _write(place, 2)
    monkeypatch.setattr(ingest, "encode_rows", fail)
    with pytest.raises((KeyboardInterrupt, ShardError)):
        _append(place)
    assert _bytes(target) == before
    assert list(place.glob(".set*")) == []


KILLED = """
import os, pathlib, signal, sys
import importlib.util
spec = importlib.util.spec_from_file_location("test_append", {file!r})
tests = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tests)
from paretorank.data import ingest, replacement
calls = 0
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
rename = pathlib.Path.rename
def rename_once(self, target):
    global calls
    calls += 1
    if calls > 1:
        die()
    return rename(self, target)
moment = {moment!r}
if moment == "while encoding":
    ingest.encode_rows = die
elif moment == "before the swap":
    replacement._swap = die
elif moment == "between the renames":
    swap = replacement._swap
    def patched(*arguments):
        pathlib.Path.rename = rename_once
        swap(*arguments)
    replacement._swap = patched
else:
    swap = replacement._swap
    def patched(*arguments):
        replacement.shutil.rmtree = die
        swap(*arguments)
    replacement._swap = patched
tests._append(pathlib.Path({place!r}))
"""


@pytest.mark.parametrize(
    "moment", ["while encoding", "before the swap", "between the renames", "after the swap"]
)
def test_a_kill_leaves_the_old_or_the_new_data_set_whole(place: Path, moment: str) -> None:
    target = _prepare(place)
    before = _bytes(target)
    _write(place, 2)
    script = KILLED.format(file=__file__, moment=moment, place=str(place))
    killed = subprocess.run([sys.executable, "-c", script], check=False, env=dict(os.environ))
    assert killed.returncode == -signal.SIGKILL
    if moment == "after the swap":
        assert Manifest.read(target).n_log_rows == 3 * DAY_ROWS
        assert _append(place).files == ()
    else:
        if moment == "between the renames":
            assert not target.exists()
        else:
            assert _bytes(target) == before
        assert _append(place).n_rows == DAY_ROWS
    assert (target / MANIFEST).exists()
    for split in SPLITS:
        ShardSet(target, Manifest.read(target), split).verify()
    rows = np.concatenate([_read(target, split).row for split in SPLITS])
    assert sorted(rows.tolist()) == list(range(3 * DAY_ROWS))
    assert list(place.glob(".set*")) == []

"""From a log to a prepared data set and back."""

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from paretorank.data import ingest, stream
from paretorank.data.encoded import EncodedRows
from paretorank.data.encoder_store import load_encoder, save_encoder
from paretorank.data.hashing import stable_hash
from paretorank.data.ingest import IngestRequest, encode_rows, ingest_log, prepare_frame
from paretorank.data.shard_format import ENCODER_FOLDER, Manifest
from paretorank.data.shard_reader import ShardSet
from paretorank.data.splits import SPLITS
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
    VectorFeature,
)

N_ROWS = 400
TAGS = ("a|b", "b", "", None, "c|d|a")
LABELS = (
    LabelSpec(name="click", column="click", kind="binary"),
    LabelSpec(name="watch", column="watch", kind="duration", observed_when="click", scale=0.001),
)
FEATURES: dict[str, FeatureConfig] = {
    "user": CategoricalFeature(),
    "item": CategoricalFeature(min_count=3),
    "tags": CategoricalFeature(multi=True, separator="|"),
    "bucket": CategoricalFeature(column="item", hash_buckets=7),
    "price": NumericFeature(encoding="piecewise_linear", n_bins=4),
    "age": NumericFeature(encoding="log"),
    "vector": VectorFeature(dim=2),
    "seen": SequenceFeature(table="item", max_length=2),
    "taste": HistoryFeature(column="seen", item="item", match=("author",)),
}
STATISTICS = {
    "user": StatisticConfig(of=("user",)),
    "cross": StatisticConfig(of=("user", "author"), tasks=("click",), smoothing=2.0),
}


def _log(seed: int = 0) -> pl.DataFrame:
    generator = np.random.default_rng(seed)
    item = generator.integers(0, 60, N_ROWS)
    click = generator.integers(0, 2, N_ROWS)
    return pl.DataFrame(
        {
            "user": [f"u{u}" if u else None for u in generator.integers(0, 20, N_ROWS)],
            "item": item,
            "author": item % 9,
            "tags": [TAGS[at] for at in generator.integers(0, 5, N_ROWS)],
            "price": np.where(generator.random(N_ROWS) < 0.1, np.nan, generator.random(N_ROWS)),
            "age": generator.integers(0, 90, N_ROWS),
            "vector": generator.normal(size=(N_ROWS, 2)),
            "seen": [
                generator.integers(0, 60, n).tolist() for n in generator.integers(0, 5, N_ROWS)
            ],
            "time": generator.permutation(N_ROWS) * 3600,
            "weight": generator.random(N_ROWS),
            "click": click,
            "watch": np.where(click == 1, generator.integers(0, 90_000, N_ROWS), -1),
        }
    )


def _request(log: pl.DataFrame, **data: object) -> IngestRequest:
    config = {
        "log": "unused.parquet",
        "keys": KeysConfig(user="user", time="time"),
        "split": SplitConfig(by="time", valid_fraction=0.2, test_fraction=0.2),
        "weight": "weight",
        **data,
    }
    return IngestRequest(
        DataConfig.model_validate(config), Path(), FEATURES, STATISTICS, LABELS, log.lazy(), "abc"
    )


def _read(folder: Path, split: SplitName) -> EncodedRows:
    shards = ShardSet(folder, Manifest.read(folder), split)
    return shards.read(0, len(shards))


def _assert_same(a: EncodedRows, b: EncodedRows) -> None:
    for name in ("codes", "numeric", "labels", "weight", "user", "row"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    for x, y in zip(a.ragged, b.ragged, strict=True):
        np.testing.assert_array_equal(x.values, y.values)
        np.testing.assert_array_equal(x.offsets, y.offsets)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    ingest_log(_request(_log()), folder)
    return folder


def _digests(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_every_row_is_in_one_split_in_the_order_of_the_log(prepared: Path) -> None:
    manifest = Manifest.read(prepared)
    assert [manifest.n_rows(split) for split in SPLITS] == [240, 80, 80]
    rows = [_read(prepared, split).row for split in SPLITS]
    assert sorted(np.concatenate(rows).tolist()) == list(range(N_ROWS))
    assert all((np.diff(part) > 0).all() for part in rows)
    time = _log()["time"].to_numpy()
    assert time[rows[0]].max() < time[rows[1]].min() < time[rows[1]].max() < time[rows[2]].min()


@pytest.mark.parametrize("split", SPLITS)
def test_labels_weights_and_users_are_those_of_the_log(prepared: Path, split: SplitName) -> None:
    rows = _read(prepared, split)
    log = _log()[rows.row]
    click = log["click"].to_numpy()
    watch = np.where(click == 1, log["watch"].to_numpy() / 1000, np.nan)
    np.testing.assert_allclose(rows.labels, np.stack([click, watch], axis=1), rtol=1e-6)
    np.testing.assert_allclose(rows.weight, log["weight"].to_numpy(), rtol=1e-6)
    hashed = stable_hash(log["user"]).view(np.int64)
    alone = np.where(log["user"].is_null(), ~rows.row, hashed)  # unknown users are not one user
    assert rows.user.tolist() == alone.tolist()


def test_the_manifest_tells_what_is_in_the_data_set(prepared: Path) -> None:
    manifest = Manifest.read(prepared)
    assert manifest.made_from == "abc"
    assert manifest.layout.task_names == ("click", "watch")
    for summary in manifest.labels:
        labels = _read(prepared, summary.split).labels
        label = labels[:, manifest.layout.task_names.index(summary.task)]
        assert summary.n_observed == (~np.isnan(label)).sum()
        assert summary.mean == pytest.approx(np.nanmean(label), rel=1e-5)


@pytest.mark.parametrize("split", ["valid", "test"])
def test_the_loaded_encoder_gives_the_bytes_of_the_shards(prepared: Path, split: SplitName) -> None:
    encoder = load_encoder(prepared / ENCODER_FOLDER)
    request = _request(_log())
    rows = _read(prepared, split)
    chunk = prepare_frame(request, with_split=False).collect()[rows.row]
    _assert_same(encode_rows(chunk, encoder, request.data), rows)


def test_a_saved_encoder_writes_the_same_files_again(prepared: Path, tmp_path: Path) -> None:
    encoder = load_encoder(prepared / ENCODER_FOLDER)
    save_encoder(encoder, tmp_path)
    assert _digests(tmp_path) == _digests(prepared / ENCODER_FOLDER)


def test_the_same_input_gives_the_same_bytes(prepared: Path, tmp_path: Path) -> None:
    ingest_log(_request(_log()), tmp_path)
    ingest_log(_request(_log()), tmp_path)
    assert _digests(tmp_path) == _digests(prepared)


def test_a_second_ingest_leaves_nothing_of_the_first(prepared: Path, tmp_path: Path) -> None:
    ingest_log(_request(_log(), shard_rows=60), tmp_path)
    ingest_log(_request(_log()), tmp_path)
    assert _digests(tmp_path) == _digests(prepared)


@pytest.mark.parametrize(("chunk_rows", "shard_rows"), [(64, 33), (1000, 29), (50, 1000), (37, 37)])
def test_chunks_and_shards_of_any_size_read_back_the_same(
    prepared: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    chunk_rows: int,
    shard_rows: int,
) -> None:
    monkeypatch.setattr(stream, "CHUNK_ROWS", chunk_rows)
    manifest = ingest_log(_request(_log(), shard_rows=shard_rows), tmp_path)
    assert all(shard.n_rows <= shard_rows for shard in manifest.shards)
    for split in SPLITS:
        _assert_same(_read(tmp_path, split), _read(prepared, split))
        shards = ShardSet(tmp_path, manifest, split)
        _assert_same(shards.read(20, 60), _read(prepared, split).slice(20, 60))


def test_the_order_of_a_log_in_files_is_kept(prepared: Path, tmp_path: Path) -> None:
    log, folder = _log(), tmp_path / "log"
    folder.mkdir()
    for at in range(4):
        log[at * 100 : (at + 1) * 100].write_parquet(folder / f"{at}.parquet")
    request = _request(log)
    data = request.data.model_copy(update={"log": "log"})
    ingest_log(
        IngestRequest(data, tmp_path, FEATURES, STATISTICS, LABELS, made_from="abc"),
        tmp_path / "out",
    )
    assert _digests(tmp_path / "out") == _digests(prepared)


def test_rows_of_other_splits_teach_the_encoder_nothing(prepared: Path, tmp_path: Path) -> None:
    log, other = _log(), _log(seed=1)
    later = _read(prepared, "valid").row.tolist() + _read(prepared, "test").row.tolist()
    changed = other.with_columns(
        time=log["time"],
        item=other["item"] + 1000,
        age=other["age"] * 100,
        user=pl.lit("stranger"),
    )
    is_later = pl.Series(np.isin(np.arange(N_ROWS), later))
    mixed = log.with_row_index().with_columns(later=is_later).filter(~pl.col("later"))
    mixed = pl.concat(
        [mixed, changed.with_row_index().with_columns(later=is_later).filter("later")]
    )
    ingest_log(_request(mixed.sort("index").drop("index", "later")), tmp_path)
    assert _digests(tmp_path / ENCODER_FOLDER) == _digests(prepared / ENCODER_FOLDER)
    _assert_same(_read(tmp_path, "train"), _read(prepared, "train"))
    test = _read(tmp_path, "test")
    assert (test.codes[:, :2] == 1).all()


def test_labels_of_later_rows_do_not_reach_the_training_rows(
    prepared: Path, tmp_path: Path
) -> None:
    log = _log()
    train = _read(prepared, "train").row
    late = train[log["time"].to_numpy()[train] > 150 * 3600]
    click = log["click"].to_numpy().copy()
    click[late] = click[late][::-1]  # the mean stays
    ingest_log(_request(log.with_columns(click=click, watch=pl.Series(click * 1000))), tmp_path)
    before, after = _read(prepared, "train"), _read(tmp_path, "train")
    early = ~np.isin(train, late)
    names = [column.name for column in Manifest.read(prepared).layout.numeric]
    at = names.index("cross.click")
    one, two = (
        load_encoder(f / ENCODER_FOLDER).numbers["cross.click"] for f in (prepared, tmp_path)
    )
    raw = [
        rows.numeric[:, at] * n.values[0] + n.knots[0] for rows, n in ((before, one), (after, two))
    ]
    np.testing.assert_allclose(raw[0][early], raw[1][early], atol=1e-5)
    assert not np.allclose(raw[0][~early], raw[1][~early], atol=1e-3)


def test_a_side_table_tells_about_items_that_are_not_in_the_log(tmp_path: Path) -> None:
    items = pl.DataFrame({"item": np.arange(100), "author": np.arange(100) % 2})
    items.write_parquet(tmp_path / "items.parquet")
    log = _log().drop("author").with_columns(seen=pl.lit([98, 97, 999]), item=pl.col("item") * 2)
    data = _request(log).data.model_copy(
        update={"joins": (JoinConfig(table="items.parquet", on="item"),)}
    )
    request = IngestRequest(data, tmp_path, FEATURES, STATISTICS, LABELS, log.lazy())
    ingest_log(request, tmp_path / "out")
    encoder = load_encoder(tmp_path / "out" / ENCODER_FOLDER)
    assert len(encoder.histories["taste"].item_values[0].items) == 100
    found = encoder.histories["taste"].transform(
        pl.DataFrame({"seen": [[98, 97, 999]], "item": [4], "author": [None]})
    )
    assert found[0].tolist() == pytest.approx(np.log1p([3, 0, 1]).tolist())


def test_without_a_user_every_row_is_its_own(tmp_path: Path) -> None:
    request = _request(_log(), keys=KeysConfig(time="time"), weight=None)
    ingest_log(request, tmp_path)
    rows = _read(tmp_path, "test")
    assert rows.user.tolist() == rows.row.tolist()
    assert rows.weight.tolist() == [1.0] * 80


def test_progress_counts_every_row_of_both_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "CHUNK_ROWS", 100)
    events: list[Progress] = []
    ingest_log(_request(_log()), tmp_path, events.append)
    last = {event.stage: (event.done, event.total) for event in events}
    assert last == {"fit": (240, 240), "encode": (N_ROWS, N_ROWS)}


@pytest.fixture
def copied(prepared: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(prepared, tmp_path / "copy"))


def test_an_interrupted_ingest_leaves_the_data_set_of_before(
    copied: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> EncodedRows:
        raise KeyboardInterrupt

    monkeypatch.setattr(ingest, "encode_rows", fail)
    with pytest.raises(KeyboardInterrupt):
        ingest_log(_request(_log()), copied)
    assert _digests(copied) == _digests(prepared)
    with pytest.raises(KeyboardInterrupt):
        ingest_log(_request(_log()), copied.with_name("new"))
    assert [path.name for path in copied.parent.iterdir()] == ["copy"]


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_a_damaged_encoder_is_found(copied: Path, damage: str) -> None:
    shards = ShardSet(copied, Manifest.read(copied), "train")
    shards.verify()
    file = copied / ENCODER_FOLDER / "vocabulary-0.parquet"
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-3] + b"???")
    with pytest.raises(ShardError, match="vocabulary-0") as caught:
        shards.verify()
    assert "ingest --force" in caught.value.hint
    with pytest.raises(ShardError, match="encoder") as caught:
        load_encoder(copied / ENCODER_FOLDER)
    assert "ingest --force" in caught.value.hint


def test_a_refused_log_leaves_the_data_set_of_before(copied: Path, prepared: Path) -> None:
    with pytest.raises(DataError):
        ingest_log(_request(_log().drop("price")), copied)
    assert _digests(copied) == _digests(prepared)


def test_a_split_without_rows_reads_as_no_rows(tmp_path: Path) -> None:
    ingest_log(_request(_log(), split=SplitConfig(by="time", valid_fraction=0.0)), tmp_path)
    shards = ShardSet(tmp_path, Manifest.read(tmp_path), "valid")
    nothing = shards.read(0, 10)
    assert (len(shards), len(nothing)) == (0, 0)
    assert nothing.codes.shape == (0, 3)
    assert len(nothing.ragged) == 2
    summaries = [s for s in Manifest.read(tmp_path).labels if s.split == "valid"]
    assert [(s.n_observed, s.mean) for s in summaries] == [(0, None), (0, None)]


def test_features_without_any_value_are_stored(tmp_path: Path) -> None:
    log = _log().with_columns(seen=pl.lit([], dtype=pl.List(pl.Int64)), tags=pl.lit(""))
    ingest_log(_request(log), tmp_path)
    assert all(len(ragged.values) == 0 for ragged in _read(tmp_path, "test").ragged)


def test_a_data_set_may_have_only_numbers_or_only_codes(tmp_path: Path) -> None:
    request = _request(_log())
    for name in ("age", "item"):
        only = IngestRequest(request.data, Path(), {name: FEATURES[name]}, {}, LABELS, request.log)
        ingest_log(only, tmp_path)
        rows = _read(tmp_path, "test")
        assert (rows.codes.shape[1], rows.numeric.shape[1]) == ((0, 1) if name == "age" else (1, 0))


def test_an_encoder_holds_no_pickle(prepared: Path) -> None:
    files = {path.suffix for path in (prepared / ENCODER_FOLDER).iterdir()}
    assert files == {".json", ".parquet"}
    json.loads((prepared / ENCODER_FOLDER / "encoder.json").read_text())

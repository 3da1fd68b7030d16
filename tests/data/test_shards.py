"""A prepared data set on disk: written, mapped, checked, and refused when it is not whole."""

from pathlib import Path

import numpy as np
import pytest

from paretorank.data.encoded import EncodedRows, Ragged
from paretorank.data.layout import CategoricalColumn, Layout, NumericColumn, RaggedColumn, TableSpec
from paretorank.data.shard_format import FORMAT_VERSION, MANIFEST, Manifest
from paretorank.data.shard_reader import ShardSet
from paretorank.data.shard_writer import ShardWriter
from paretorank.foundation.errors import ShardError
from paretorank.schema import LabelSpec

N_ROWS = 25
LAYOUT = Layout(
    tables=(TableSpec(name="a", n_codes=30, dim=None),),
    categorical=(CategoricalColumn(feature="a", table="a"),),
    ragged=(RaggedColumn(feature="s", table="a", pooling="mean"),),
    numeric=(NumericColumn(name="n"), NumericColumn(name="m")),
    labels=(
        LabelSpec(name="click", column="c", kind="binary"),
        LabelSpec(name="like", column="l", kind="binary"),
    ),
)
ROW = np.arange(N_ROWS)
ROWS = EncodedRows(
    ROW[:, None].astype(np.int32),
    np.stack([ROW, -ROW], axis=1).astype(np.float32),
    (Ragged(np.repeat(ROW, ROW % 3).astype(np.int32), np.cumsum([0, *(ROW % 3)])),),
    np.stack([ROW % 2, np.full(N_ROWS, np.nan)], axis=1).astype(np.float32),
    np.ones(N_ROWS, np.float32),
    ROW * 10,
    ROW // 3,
    ROW,
)
FILES = (
    "codes",
    "numeric",
    "labels",
    "weight",
    "user",
    "request",
    "row",
    "ragged0.values",
    "ragged0.offsets",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    writer = ShardWriter(tmp_path, "train", 10)
    for start, stop in ((0, 3), (3, 3), (3, 24), (24, 25)):
        writer.append(ROWS.slice(start, stop))
    entries = tuple(writer.finish())
    Manifest(
        format_version=FORMAT_VERSION, made_from="x", layout=LAYOUT, shards=entries, labels=()
    ).write(tmp_path)
    return tmp_path


def _open(folder: Path) -> ShardSet:
    return ShardSet(folder, Manifest.read(folder), "train")


def _assert_same(a: EncodedRows, b: EncodedRows) -> None:
    for name in ("codes", "numeric", "labels", "weight", "user", "row"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        assert getattr(a, name).dtype == getattr(b, name).dtype
    np.testing.assert_array_equal(a.ragged[0].values, b.ragged[0].values)
    np.testing.assert_array_equal(a.ragged[0].offsets, b.ragged[0].offsets)


def test_rows_are_cut_into_shards_of_the_wanted_size(folder: Path) -> None:
    manifest = Manifest.read(folder)
    assert [(s.name, s.n_rows) for s in manifest.shards] == [
        ("train-00000", 10),
        ("train-00001", 10),
        ("train-00002", 5),
    ]
    assert manifest.n_rows("train") == N_ROWS
    assert manifest.n_rows("test") == 0


@pytest.mark.parametrize(
    ("start", "stop"), [(0, 25), (0, 10), (9, 11), (5, 25), (10, 20), (24, 25), (7, 7), (20, 99)]
)
def test_any_slice_reads_back_what_was_written(folder: Path, start: int, stop: int) -> None:
    _assert_same(_open(folder).read(start, stop), ROWS.slice(start, min(stop, N_ROWS)))


def test_a_slice_of_one_shard_is_mapped_and_cannot_be_written(folder: Path) -> None:
    rows = _open(folder).read(2, 8)
    assert not rows.codes.flags.writeable
    assert not rows.codes.flags.owndata


def test_few_shards_stay_mapped(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path, "train", 1)
    writer.append(ROWS)
    entries = tuple(writer.finish())
    Manifest(
        format_version=FORMAT_VERSION, made_from="x", layout=LAYOUT, shards=entries, labels=()
    ).write(tmp_path)
    shards = _open(tmp_path)
    for at in range(N_ROWS):
        _assert_same(shards.read(at, at + 1), ROWS.slice(at, at + 1))
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("no /proc on this system")
    lines = [line for line in maps.read_text().splitlines() if f"{tmp_path}/" in line]
    mapped = {line.split()[-1].rsplit("/", 2)[-2] for line in lines}
    assert mapped
    assert len(mapped) <= 8


def test_some_tasks_can_be_opened_in_another_order(folder: Path) -> None:
    manifest = Manifest.read(folder)
    for tasks in (["like"], ["like", "click"]):
        shards = ShardSet(folder, manifest, "train", tasks=tasks)
        assert list(shards.layout.task_names) == tasks
        at = [LAYOUT.task_names.index(task) for task in tasks]
        np.testing.assert_array_equal(shards.read(5, 15).labels, ROWS.labels[5:15][:, at])


def test_whole_shards_pass_the_check(folder: Path) -> None:
    _open(folder).verify()


@pytest.mark.parametrize("name", FILES)
def test_one_changed_byte_is_found(folder: Path, name: str) -> None:
    path = folder / "shards" / "train-00001" / f"{name}.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ShardError, match=rf"{name}\.npy does not match its checksum"):
        _open(folder).verify()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("keep", [0, 50, -1])
def test_a_truncated_file_is_refused_when_it_is_read(folder: Path, name: str, keep: int) -> None:
    path = folder / "shards" / "train-00002" / f"{name}.npy"
    path.write_bytes(path.read_bytes()[:keep])
    shards = _open(folder)
    assert len(shards.read(0, 10)) == 10
    with pytest.raises(ShardError, match=rf"{name}\.npy"):
        shards.read(20, 25)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused(folder: Path, name: str) -> None:
    (folder / "shards" / "train-00000" / f"{name}.npy").unlink()
    with pytest.raises(ShardError, match=rf"{name}\.npy is missing"):
        _open(folder).read(0, 10)
    with pytest.raises(ShardError, match=rf"{name}\.npy does not match"):
        _open(folder).verify()


def test_an_array_with_other_rows_is_refused(folder: Path) -> None:
    np.save(folder / "shards" / "train-00000" / "row.npy", np.arange(3))
    with pytest.raises(ShardError, match="has 3 rows, shard train-00000 has 10"):
        _open(folder).read(0, 10)


def test_pickled_arrays_are_not_opened(folder: Path) -> None:
    evil = np.array([{"a": 1}] * 10, dtype=object)
    np.save(folder / "shards" / "train-00000" / "row.npy", evil, allow_pickle=True)
    with pytest.raises(ShardError, match=r"row\.npy is not readable"):
        _open(folder).read(0, 10)


def test_without_a_manifest_there_is_no_data_set(folder: Path) -> None:
    (folder / MANIFEST).unlink()
    with pytest.raises(ShardError, match="holds no prepared data set") as caught:
        Manifest.read(folder)
    assert "paretorank ingest" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"format_version": 99}', "has the format version 99"),
        ("[]", "has the format version None"),
        ('{"format_version": 1, "shards"', "is not readable JSON"),
        (f'{{"format_version": {FORMAT_VERSION}}}', "is damaged"),
        ('{"format_version": 1}', "has the format version 1, this is"),
    ],
)
def test_a_manifest_of_another_version_or_damaged_is_refused(
    folder: Path, text: str, problem: str
) -> None:
    (folder / MANIFEST).write_text(text)
    with pytest.raises(ShardError, match=problem):
        Manifest.read(folder)

"""From a configuration to a prepared data set, once."""

import os
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from paretorank.config import RunConfig, load_config
from paretorank.foundation.errors import DataError, RunError
from paretorank.foundation.lock import folder_lock, lock_beside
from paretorank.workflows.ingest import Prepared, default_target, prepare


@pytest.fixture
def copied(feed: Path, tmp_path: Path) -> RunConfig:
    for name in ("feed.toml", "log.parquet"):
        shutil.copy(feed.parent / name, tmp_path / name)
    return load_config(tmp_path / "feed.toml")


def test_the_rows_are_split_by_time_and_none_is_lost(prepared: Prepared, config: RunConfig) -> None:
    log = pl.read_parquet(config.folder / "log.parquet")
    latest, found = -1, []
    for name in ("train", "valid", "test"):
        split = prepared.split(name)
        rows = split.read(0, len(split)).row
        found.append(rows)
        times = log["time_ms"].to_numpy()[rows]
        assert times.min() >= latest
        latest = int(times.max())
    assert np.array_equal(np.sort(np.concatenate(found)), np.arange(len(log)))


def test_labels_are_those_of_the_log_and_nan_outside_their_sample_space(
    prepared: Prepared, config: RunConfig
) -> None:
    log = pl.read_parquet(config.folder / "log.parquet")
    test = prepared.split("test", ["like", "click"])
    rows = test.read(0, len(test))
    assert test.layout.task_names == ("like", "click")
    click = log["is_click"].to_numpy()[rows.row]
    like = log["is_like"].to_numpy()[rows.row]
    assert np.array_equal(rows.labels[:, 1], click)
    assert np.array_equal(np.isnan(rows.labels[:, 0]), click == 0)
    assert np.array_equal(rows.labels[click == 1, 0], like[click == 1])


def test_unchanged_data_is_not_prepared_twice(copied: RunConfig) -> None:
    first = prepare(copied)
    again = prepare(copied)
    assert not first.was_there
    assert again.was_there
    assert again.manifest == first.manifest
    assert again.folder == default_target(copied) == copied.folder / "feed.prepared"


def test_what_does_not_touch_the_data_does_not_prepare_it_again(copied: RunConfig) -> None:
    prepare(copied)
    other = load_config(copied.path, ["training.epochs=7", "model.embedding_dim=3"])
    assert prepare(other).was_there


def test_a_changed_log_a_changed_feature_or_force_prepares_again(copied: RunConfig) -> None:
    prepare(copied)
    assert not prepare(copied, force=True).was_there
    changed = load_config(copied.path, ["features.tag.min_count=5"])
    assert not prepare(changed).was_there
    log = copied.folder / "log.parquet"
    pl.read_parquet(log).head(2_000).write_parquet(log)
    shorter = prepare(changed)
    assert not shorter.was_there
    assert sum(shorter.manifest.n_rows(name) for name in ("train", "valid", "test")) == 2_000
    os.utime(log, ns=(1, 1))
    assert not prepare(changed).was_there


def test_a_prepared_folder_that_is_damaged_is_made_anew(copied: RunConfig) -> None:
    first = prepare(copied)
    (first.folder / "manifest.json").write_text("{")
    again = prepare(copied)
    assert not again.was_there
    assert again.manifest == first.manifest


def test_a_missing_log_is_named(copied: RunConfig) -> None:
    (copied.folder / "log.parquet").unlink()
    with pytest.raises(DataError, match=r"log\.parquet"):
        prepare(copied)


def test_the_fitted_encoder_can_be_read_back(prepared: Prepared) -> None:
    encoder = prepared.encoder()
    assert encoder.layout == prepared.manifest.layout


def test_two_processes_do_not_prepare_one_folder(copied: RunConfig) -> None:
    folder = default_target(copied)
    with (
        folder_lock(folder, what="The folder", hint="Wait.", beside=True),
        pytest.raises(RunError, match=r"prepared data .+ is in use by process \d+ on") as error,
    ):
        prepare(copied)
    assert "--out" in error.value.hint
    prepare(copied)
    with folder_lock(folder, what="The folder", hint="Wait.", beside=True):
        assert prepare(copied).was_there  # nothing has to be written
    assert not lock_beside(folder).exists()

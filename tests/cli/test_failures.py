"""What a command says when files are damaged, disks are full, or the clock goes back."""

import datetime as dt
import errno
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from paretorank.foundation.progress import Progress

Ask = Callable[..., Any]
Damage = Callable[[Path], object]


def half(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def gone(path: Path) -> None:
    path.unlink()


def written(text: str) -> Damage:
    return lambda path: path.write_text(text)


@pytest.fixture
def run(run_folder: Path, tmp_path: Path) -> Path:
    """Return a copy of a finished run."""
    return Path(shutil.copytree(run_folder, tmp_path / "run"))


@pytest.fixture
def prepared(ask: Ask, feed: Path, tmp_path: Path) -> Path:
    """Return a configuration whose data set is prepared beside it."""
    for name in ("feed.toml", "log.parquet"):
        shutil.copy(feed.parent / name, tmp_path / name)
    assert ask("ingest", tmp_path / "feed.toml", "--json").code == 0
    return tmp_path / "feed.toml"


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def assert_refused(answer: Any, *words: str) -> None:
    assert answer.code == 2, answer.err
    assert answer.err.count("error:") == 1
    assert answer.err.count("hint:") == 1
    assert "Traceback" not in answer.err
    for word in words:
        assert word in answer.err


BEST, LAST = "checkpoints/best.safetensors", "checkpoints/last.safetensors"
READERS = ("evaluate", "predict")
DAMAGED: dict[str, tuple[str, Damage, tuple[str, ...], str]] = {
    "half a config.toml": ("config.toml", half, (*READERS, "resume"), "of the run is damaged"),
    "no weights": (BEST, gone, (*READERS, "resume"), "does not exist"),
    "torn weights": (BEST, half, (*READERS, "resume"), "is damaged"),
    "torn state": (LAST, half, ("resume",), "is damaged"),
    "no encoder": ("encoder/encoder.json", gone, READERS, "train --resume"),
    "half an encoder": ("encoder/encoder.json", half, READERS, "train --resume"),
    "an encoder of nothing": ("encoder/encoder.json", written("{}"), READERS, "cannot be read"),
    "half a vocabulary": ("encoder/vocabulary-0.parquet", half, READERS, "cannot be read"),
    "half an environment": ("environment.json", half, ("evaluate", "resume"), "Delete the file"),
    "a list for an environment": ("environment.json", written("[]"), ("evaluate",), "no table"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_run_is_refused_and_stays_as_it_is(case: str, ask: Ask, run: Path) -> None:
    name, damage, commands, word = DAMAGED[case]
    damage(run / name)
    before = files(run)
    rows = pl.DataFrame({"user_id": [1]})
    rows.write_parquet(run.parent / "rows.parquet")
    given = {
        "evaluate": ("evaluate", run),
        "predict": ("predict", run, "--data", run.parent / "rows.parquet", "--out", "x.parquet"),
        "resume": ("train", "--resume", run),
    }
    for command in commands:
        assert_refused(ask(*given[command]), word)
    assert files(run) == before


def test_what_resuming_is_said_to_repair_it_repairs(ask: Ask, run: Path) -> None:
    (run / "encoder" / "encoder.json").unlink()
    assert ask("train", "--resume", run, "--json").code == 0
    assert ask("evaluate", run, "--json").code == 0


def test_a_checkpoint_of_another_model_or_optimizer_is_refused(ask: Ask, run: Path) -> None:
    other = ("--set", "model.embedding_dim=5")
    assert_refused(ask("train", "--resume", run, *other), "does not fit this configuration")
    other = ("--set", "training.embedding_optimizer=adagrad")
    assert_refused(ask("train", "--resume", run, *other), "RowAdam", "embedding_optimizer")
    shutil.copy(run / BEST, run / LAST)
    assert_refused(ask("train", "--resume", run), "is not the state of a training")


@pytest.mark.parametrize("tail", ['{"event": "tr', "[]\n3\n{}\n", "\x00\x00\x00\n"])
def test_a_damaged_log_loses_its_damaged_lines_only(ask: Ask, run: Path, tail: str) -> None:
    log = run / "log.jsonl"
    whole = log.read_text().splitlines()
    log.write_text("\n".join(whole) + "\n" + tail)
    assert ask("train", "--resume", run, "--json").code == 0
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert events[:-1] == [json.loads(line) for line in whole[:-1]]
    assert events[-1]["event"] == "test"


SHARDS: dict[str, tuple[str, Damage, str]] = {
    "a file of training vanished": ("shards/train-00000/codes.npy", gone, "is missing"),
    "a shard vanished": ("shards/valid-00000/", shutil.rmtree, "is missing"),
    "a shard is truncated": ("shards/train-00000/labels.npy", half, "is not readable"),
    "a shard of the test rows is truncated": ("shards/test-00000/row.npy", half, "not readable"),
    "the encoder is damaged": ("encoder/encoder.json", half, "does not match its checksum"),
    "a vocabulary vanished": ("encoder/vocabulary-0.parquet", gone, "does not match its checksum"),
}


@pytest.mark.parametrize("case", SHARDS)
def test_a_damaged_data_set_is_refused_before_the_first_step(
    case: str, ask: Ask, prepared: Path, tmp_path: Path
) -> None:
    name, damage, word = SHARDS[case]
    damage(tmp_path / "feed.prepared" / name)
    assert_refused(ask("train", prepared, "--out", tmp_path / "run"), name, word)
    assert not (tmp_path / "run" / "log.jsonl").exists()
    assert ask("ingest", prepared, "--force", "--json").code == 0
    assert ask("train", prepared, "--out", tmp_path / "run", "--json").code == 0


@pytest.mark.parametrize("text", ['{"format_version": 2}', '{"format_', ""])
def test_a_data_set_of_another_version_is_prepared_anew(
    text: str, ask: Ask, prepared: Path, tmp_path: Path
) -> None:
    manifest = tmp_path / "feed.prepared" / "manifest.json"
    whole = manifest.read_text()
    manifest.write_text(text)
    assert ask("ingest", prepared, "--json").json["unchanged"] is False
    assert manifest.read_text() == whole


class FullDisk:
    """A disk on which the n-th file that is to be made safe finds no room."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, n: int) -> None:
        self.calls, self._n, self._sync = 0, n, os.fsync
        monkeypatch.setattr(os, "fsync", self)

    def __call__(self, handle: int) -> None:
        self.calls += 1
        if self.calls == self._n:
            raise OSError(errno.ENOSPC, "No space left on device")
        self._sync(handle)


@pytest.mark.parametrize("command", ["ingest", "train"])
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_a_disk_that_is_full_at_any_moment_costs_nothing_but_the_message(
    command: str, share: float, ask: Ask, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = prepared.parent / "out"
    with monkeypatch.context() as patched:
        disk = FullDisk(patched, 0)
        straight = ask(command, prepared, "--out", prepared.parent / "straight", "--json")
    with monkeypatch.context() as patched:
        FullDisk(patched, 1 + round(share * (disk.calls - 1)))
        assert_refused(ask(command, prepared, "--out", folder), "cannot be written", "No space")
    hidden = [path for path in prepared.parent.rglob(".*") if "lock" not in path.name]
    assert not hidden
    begun = (folder / "config.toml").exists()
    again = "--resume" if command == "train" and begun else "--out"
    answer = ask(command, prepared, again, folder, "--json")
    assert answer.code == 0, answer.err
    for part in ("rows", "labels", "metrics"):
        assert answer.json.get(part) == straight.json.get(part)


def test_a_folder_that_cannot_be_written_is_named(ask: Ask, feed: Path, run: Path) -> None:
    below = feed / "below"  # root may write anywhere, but not below a file
    log = feed.parent / "log.parquet"
    for command in (
        ("train", feed, "--out", below),
        ("ingest", feed, "--out", below),
        ("predict", run, "--data", log, "--out", feed / "x.parquet"),
        ("init", log, "--out", feed / "x.toml"),
        ("data", "get", "feed", "--out", below),
        ("train", feed, "--out", log),
        ("ingest", feed, "--out", log),
    ):
        assert_refused(ask(*command), "cannot be written")


class ClockGoingBack(dt.datetime):
    """A day earlier every time it is asked."""

    calls = 0

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
        cls.calls += 1
        return dt.datetime(2030, 1, 31, tzinfo=tz) - dt.timedelta(days=cls.calls)


def test_a_clock_that_goes_back_changes_nothing(
    ask: Ask, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = ask("train", prepared, "--json").json
    monkeypatch.setattr(dt, "datetime", ClockGoingBack)
    first = time.time()
    monkeypatch.setattr(time, "time", lambda: first - 1e6 * ClockGoingBack.calls)
    future = time.time_ns() + 10**15
    for path in (tmp_path / "feed.prepared").rglob("*"):
        os.utime(path, ns=(future, future))
    assert ask("ingest", prepared, "--json").json["unchanged"] is True
    folder = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setattr("paretorank.cli.train.progress_bars", interrupting_bars(after=3))
        chatty = ("--set", "training.log_every_steps=1", "--set", "training.tensorboard=true")
        settings = (*chatty, "--set", "training.checkpoint_every_s=1e-9")
        assert ask("train", prepared, "--out", folder, *settings).code == 130
    resumed = ask("train", "--resume", folder, "--json").json
    assert resumed["metrics"] == straight["metrics"]
    steps = [json.loads(line)["step"] for line in (folder / "log.jsonl").read_text().splitlines()]
    assert steps == sorted(steps)
    assert ask("evaluate", folder, "--json").code == 0
    ClockGoingBack.calls = 0
    names = []
    for _ in range(2):  # the second starts a second time in the same second
        ClockGoingBack.calls = 0
        names.append(ask("train", prepared, "--json").json["folder"])
    assert names[1] == names[0] + "-2"


def interrupting_bars(after: int) -> Callable[[], Any]:
    """Return progress bars that press Ctrl-C after some steps."""
    from contextlib import contextmanager

    @contextmanager
    def bars() -> Any:
        def listen(event: Progress, /) -> None:
            if event.stage == "train" and event.done == after:
                raise KeyboardInterrupt

        yield listen

    return bars

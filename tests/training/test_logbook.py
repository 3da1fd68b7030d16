"""The log of a run."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from paretorank.foundation.errors import RunError
from paretorank.training import Logbook

FACTS = {"loss": {"click": 0.5, "like": math.nan}, "score": 1, "is_best": True}


def lines_of(folder: Path) -> list[Any]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_every_event_is_one_line_of_json_in_which_nan_is_null(tmp_path: Path) -> None:
    with Logbook(tmp_path / "run", tensorboard=False) as logbook:
        logbook.record("train", 3, FACTS)
        logbook.record("validate", 4, {"note": "größer"})
    assert lines_of(tmp_path / "run") == [
        {
            "event": "train",
            "step": 3,
            "loss": {"click": 0.5, "like": None},
            "score": 1,
            "is_best": True,
        },
        {"event": "validate", "step": 4, "note": "größer"},
    ]
    assert not (tmp_path / "run" / "tensorboard").exists()


def test_a_line_is_readable_while_the_run_goes_on(tmp_path: Path) -> None:
    with Logbook(tmp_path, tensorboard=False) as logbook:
        logbook.record("train", 1, {})
        assert lines_of(tmp_path) == [{"event": "train", "step": 1}]


def test_a_second_logbook_appends(tmp_path: Path) -> None:
    for step in (1, 2):
        with Logbook(tmp_path, tensorboard=False) as logbook:
            logbook.record("train", step, {})
    assert len(lines_of(tmp_path)) == 2


def test_tensorboard_gets_the_same_numbers_named_by_their_path(tmp_path: Path) -> None:
    with Logbook(tmp_path, tensorboard=True) as logbook:
        logbook.record("train", 3, {"loss": {"click": 0.5}, "score": 1, "is_best": True})
        logbook.record("train", 6, {"loss": {"click": 0.25}})
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert sorted(events.Tags()["tensors"] + events.Tags()["scalars"]) == [
        "train/loss/click",
        "train/score",
    ]


def record_steps(folder: Path, *, tensorboard: bool = False) -> None:
    with Logbook(folder, tensorboard=tensorboard) as logbook:
        for step in (1, 2, 3):
            logbook.record("train", step, {"loss": {"click": step / 2, "like": math.nan}})
        logbook.record("test", 1, {})


def test_rewinding_forgets_later_steps_the_end_and_what_was_cut_off(tmp_path: Path) -> None:
    record_steps(tmp_path)
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"event": "train", "st')
    with Logbook(tmp_path, tensorboard=False) as logbook:
        logbook.rewind(2)
        logbook.record("train", 3, {"again": 1})
    assert [line["step"] for line in lines_of(tmp_path)] == [1, 2, 3]
    assert lines_of(tmp_path)[-1] == {"event": "train", "step": 3, "again": 1}


def test_rewinding_what_is_not_too_long_leaves_every_byte(tmp_path: Path) -> None:
    with Logbook(tmp_path, tensorboard=False) as logbook:
        logbook.record("train", 1, FACTS)
        before = (tmp_path / "log.jsonl").stat()
        logbook.rewind(1)
        assert (tmp_path / "log.jsonl").stat() == before
        logbook.sync()


def test_tensorboard_is_rewound_too(tmp_path: Path) -> None:
    record_steps(tmp_path, tensorboard=True)
    with Logbook(tmp_path, tensorboard=True) as logbook:
        logbook.rewind(2)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in events.Tensors("train/loss/click")] == [1, 2]


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").symlink_to("/dev/full")
    with (
        Logbook(tmp_path, tensorboard=False) as logbook,
        pytest.raises(RunError, match=r"log\.jsonl cannot be written: No space left") as error,
    ):
        logbook.record("train", 1, {})
    assert "Make room" in error.value.hint

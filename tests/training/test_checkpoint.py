"""Tensors and their position in one file."""

from pathlib import Path

import pytest
import torch

from paretorank.foundation.errors import RunError
from paretorank.training.checkpoint import Checkpoint, load_checkpoint, prefixed, save_checkpoint

TENSORS = {"model/a": torch.arange(3.0), "model/b": torch.tensor(True), "other/a": torch.zeros(2)}


def test_tensors_and_facts_come_back(tmp_path: Path) -> None:
    facts = {"position": {"epoch": 1, "best": float("-inf"), "monitor": {"click": 0.7}}}
    save_checkpoint(tmp_path / "c.safetensors", Checkpoint(TENSORS, facts))
    loaded = load_checkpoint(tmp_path / "c.safetensors")
    assert loaded.facts == facts
    assert loaded.tensors.keys() == TENSORS.keys()
    assert all(torch.equal(loaded.tensors[name], TENSORS[name]) for name in TENSORS)


def test_a_part_is_what_lies_below_a_path() -> None:
    part = Checkpoint(TENSORS, {}).part("model")
    assert sorted(part) == ["a", "b"]
    assert sorted(prefixed("model", part)) == ["model/a", "model/b"]


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no\.safetensors does not exist") as error:
        load_checkpoint(tmp_path / "no.safetensors")
    assert error.value.hint == "Train first."


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, Checkpoint(TENSORS, {}))
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(RunError, match="is damaged"):
        load_checkpoint(path)


def test_a_failed_save_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, Checkpoint(TENSORS, {"step": 1}))
    with pytest.raises(TypeError):
        save_checkpoint(path, Checkpoint(TENSORS, {"step": object()}))
    assert load_checkpoint(path).facts == {"step": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["c.safetensors"]

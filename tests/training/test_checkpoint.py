"""Tensors and their position in one file."""

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

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


def test_one_changed_bit_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, Checkpoint(TENSORS, {"step": 1}))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(RunError, match="its numbers are not those that were saved"):
        load_checkpoint(path)


def test_a_file_that_another_program_wrote_is_read_without_a_digest(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "c.safetensors", metadata={"facts": '{"step": 1}'})
    assert load_checkpoint(tmp_path / "c.safetensors").facts == {"step": 1}


def test_a_full_disk_is_named_and_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, Checkpoint(TENSORS, {"step": 1}))
    with small_files(1000), pytest.raises(RunError, match="cannot be written: File too large"):
        save_checkpoint(path, Checkpoint({"a": torch.zeros(1000)}, {"step": 2}))
    assert load_checkpoint(path).facts == {"step": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["c.safetensors"]


@contextmanager
def small_files(n_bytes: int) -> Iterator[None]:
    """Let no file become longer, as a full disk would."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)

"""Mutations of Parquet logs and of prepared data sets."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from paretorank.config import load_config
from paretorank.data.encoder_store import load_encoder
from paretorank.data.ingest import ingest_log
from paretorank.data.shard_format import ENCODER_FOLDER, Manifest
from paretorank.data.shard_reader import ShardSet
from paretorank.data.splits import SPLITS
from paretorank.workflows.ingest import ingest_request

PREPARED = "run.prepared"


def file_cases(
    log: Path, folder: Path, count: int, generator: np.random.Generator
) -> Iterator[tuple[str, bytes]]:
    """Return mutated files, every second one the log, and which file of the data set they are."""
    prepared = sorted(path for path in (folder / PREPARED).rglob("*") if path.is_file())
    for at in range(count):
        path = log if at % 2 == 0 else prepared[int(generator.integers(len(prepared)))]
        content = _mutated(path.read_bytes(), generator)
        kind = path.suffix.lstrip(".") if path != log else "log"
        name = str(path.relative_to(folder)).encode()
        yield kind, name + b"\n" + content


class FileReader:
    """Ingests a mutated log; reads a data set of which one file is mutated."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, kind: str, content: bytes) -> None:
        """Read one case; raises whatever reading raises."""
        name, _, mutated = content.partition(b"\n")
        if kind == "log":
            self._ingest(mutated)
        else:
            self._read(name.decode(), mutated)

    def _ingest(self, log: bytes) -> None:
        path = self._folder / "mutated.parquet"
        path.write_bytes(log)
        config = load_config(self._folder / "run.toml", [f"data.log={path.name}"])
        ingest_log(ingest_request(config), self._folder / "mutated.prepared")

    def _read(self, name: str, mutated: bytes) -> None:
        copy = self._folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self._folder / PREPARED, copy / PREPARED)
        (copy / name).write_bytes(mutated)
        load_encoder(copy / PREPARED / ENCODER_FOLDER)
        manifest = Manifest.read(copy / PREPARED)
        for split in SPLITS:
            shards = ShardSet(copy / PREPARED, manifest, split)
            shards.read(0, len(shards))
            shards.verify()


def _mutated(content: bytes, generator: np.random.Generator) -> bytes:
    """Change bytes, cut, swap or clear parts; the first and the last bytes describe the rest."""
    changed = bytearray(content)
    size = len(changed)
    at, other = (int(place) for place in generator.integers(size, size=2))
    if generator.random() < 0.5:
        at = max(0, size - 1 - int(generator.exponential(size / 10 + 8)))
    length = int(generator.integers(1, max(2, min(size // 2, 64))))
    match int(generator.integers(5)):
        case 0:
            for _ in range(int(generator.integers(1, 9))):
                changed[(at + int(generator.integers(16))) % size] ^= 1 << int(
                    generator.integers(8)
                )
        case 1:
            del changed[at:]
        case 2:
            changed[at : at + length] = bytes(len(changed[at : at + length]))
        case 3:
            a, b = bytes(changed[at : at + length]), bytes(changed[other : other + length])
            changed[at : at + len(b)], changed[other : other + len(a)] = b, a
        case _:
            changed[at : at + length] = generator.bytes(length)
    return bytes(changed)

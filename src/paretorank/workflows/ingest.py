"""Configuration -> prepared data set, unless the same one is there already."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from paretorank.config import RunConfig
from paretorank.data.encoder import Encoder
from paretorank.data.encoder_store import load_encoder
from paretorank.data.ingest import IngestRequest, ingest_log
from paretorank.data.shard_format import ENCODER_FOLDER, FORMAT_VERSION, MANIFEST, Manifest
from paretorank.data.shard_reader import ShardSet
from paretorank.data.source import table_files
from paretorank.foundation.errors import ShardError
from paretorank.foundation.files import text_digest
from paretorank.foundation.lock import folder_lock
from paretorank.foundation.progress import Listener, silent
from paretorank.model import refuse_unfit
from paretorank.schema import SplitName
from paretorank.workflows.run_folder import with_absolute_paths

_WHAT = "The folder of prepared data"


@dataclass(frozen=True)
class Prepared:
    """A prepared data set on disk."""

    folder: Path
    manifest: Manifest
    was_there: bool

    def split(self, name: SplitName, tasks: Sequence[str] | None = None) -> ShardSet:
        """Open one split, with the labels of all tasks or of some."""
        return ShardSet(self.folder, self.manifest, name, tasks=tasks)

    @property
    def encoder_folder(self) -> Path:
        """Where the fitted encoder is."""
        return self.folder / ENCODER_FOLDER

    def in_use(self) -> AbstractContextManager[None]:
        """Let nobody prepare the folder anew while the block reads from it.

        Raises:
            RunError: another process is preparing data in the folder.
        """
        hint = "Start again when it is done."
        return folder_lock(self.folder, what=_WHAT, hint=hint, shared=True, beside=True)

    def encoder(self) -> Encoder:
        """Read the fitted encoder."""
        return load_encoder(self.encoder_folder)


def prepare(
    config: RunConfig,
    target: Path | None = None,
    *,
    force: bool = False,
    listener: Listener = silent,
) -> Prepared:
    """Prepare the data of a configuration; unchanged data is not prepared twice.

    Raises:
        RunError: another process is preparing data in the same folder.
    """
    folder = target or default_target(config)
    request = ingest_request(config)
    if not force and (manifest := _unchanged(folder, request)):
        return Prepared(folder, manifest, was_there=True)
    hint = "Wait until it is done, or choose another folder with `paretorank ingest --out`."
    with folder_lock(folder, what=_WHAT, hint=hint, beside=True):
        if not force and (manifest := _unchanged(folder, request)):  # made while we came here
            return Prepared(folder, manifest, was_there=True)
        return Prepared(folder, ingest_log(request, folder, listener), was_there=False)


def default_target(config: RunConfig) -> Path:
    """Return where a configuration's data is prepared: beside it, NAME.prepared."""
    return config.path.with_suffix(".prepared")


def ingest_request(config: RunConfig, rows: pl.LazyFrame | None = None) -> IngestRequest:
    """Return what has to be prepared for a configuration, or for rows already in hand.

    Raises:
        ConfigError: no model can be built on it.
    """
    refuse_unfit(config.model, config.features, config.statistics)
    return IngestRequest(
        config.data,
        config.folder,
        config.features,
        config.statistics,
        config.label_specs(),
        rows,
        made_from=_made_from(config) if rows is None else "",
    )


def _unchanged(folder: Path, request: IngestRequest) -> Manifest | None:
    """Return what was prepared from the same request before, if it is whole."""
    if not (folder / MANIFEST).exists():
        return None
    try:
        manifest = Manifest.read(folder)
    except ShardError:
        return None
    return manifest if manifest.made_from == request.made_from else None


def log_digest(config: RunConfig) -> str:
    """Return what tells one state of a log from another: its files, their sizes, its splits."""
    files = [f"{path.absolute()}:{size}" for path, size, _ in _stats(config)]
    return text_digest("\x1f".join([config.data.split.model_dump_json(), *files]))


def _stats(config: RunConfig) -> list[tuple[Path, int, int]]:
    places = [config.data.log, *(join.table for join in config.data.joins)]
    files = [path for place in places for path in table_files(place, config.folder)]
    stats = [(path, path.stat()) for path in files if path.exists()]
    return [(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats]


def _made_from(config: RunConfig) -> str:
    parts = [
        str(FORMAT_VERSION),
        with_absolute_paths(config).data.model_dump_json(),
        *(f"{name}={feature.model_dump_json()}" for name, feature in config.features.items()),
        *(f"{name}={stat.model_dump_json()}" for name, stat in config.statistics.items()),
        *(label.model_dump_json() for label in config.label_specs()),
        *(f"{path.absolute()}:{size}:{time}" for path, size, time in _stats(config)),
    ]
    return text_digest("\x1f".join(parts))

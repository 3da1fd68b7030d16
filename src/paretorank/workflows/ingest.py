"""Configuration -> prepared data set, unless the same one is there already."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from paretorank.config import RunConfig
from paretorank.data.append import append_log
from paretorank.data.encoder import Encoder
from paretorank.data.encoder_store import load_encoder
from paretorank.data.ingest import IngestRequest, ingest_log
from paretorank.data.replacement import restore
from paretorank.data.shard_format import (
    ENCODER_FOLDER,
    FORMAT_VERSION,
    MANIFEST,
    Manifest,
    SourceFile,
)
from paretorank.data.shard_reader import ShardSet
from paretorank.data.source import table_files
from paretorank.data.splits import SPLITS
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
    appended_rows: int = 0
    new_files: tuple[str, ...] = ()
    """Files that were appended just now."""

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

    def check(self) -> None:
        """Open every shard and compare the encoder with its checksums; reads no rows.

        Raises:
            ShardError: a file is missing, too short, or not what was written.
        """
        for split in SPLITS:
            self.split(split).check()

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
        restore(folder)
        if not force and (manifest := _unchanged(folder, request)):  # made while we came here
            return Prepared(folder, manifest, was_there=True)
        return Prepared(folder, ingest_log(request, folder, listener), was_there=False)


def append(
    config: RunConfig, target: Path | None = None, *, listener: Listener = silent
) -> Prepared:
    """Append the files of the log that are new since the data was prepared; do not touch the rest.

    Raises:
        RunError: another process is using the same folder.
        ShardError: there is no prepared data set, or it was made by another configuration.
        DataError: known files changed, vanished or moved, or the new rows do not fit.
    """
    folder = target or default_target(config)
    request = ingest_request(config)
    if manifest := _unchanged(folder, request):
        return Prepared(folder, manifest, was_there=True)
    hint = "Wait until it is done, and append then."
    with folder_lock(folder, what=_WHAT, hint=hint, beside=True):
        done = append_log(request, folder, listener)
    return Prepared(folder, done.manifest, not done.files, done.n_rows, done.files)


def default_target(config: RunConfig) -> Path:
    """Return where a configuration's data is prepared: beside it, NAME.prepared."""
    return config.path.with_suffix(".prepared")


def ingest_request(
    config: RunConfig, rows: pl.LazyFrame | None = None, *, split_from: int = 0
) -> IngestRequest:
    """Return what has to be prepared for a configuration, or for rows already in hand.

    Raises:
        ConfigError: no model can be built on it.
    """
    refuse_unfit(config.model, config.features, config.statistics)
    request = IngestRequest(
        config.data,
        config.folder,
        config.features,
        config.statistics,
        config.label_specs(),
        rows,
        split_from=split_from,
    )
    if rows is not None:
        return request
    sources, data = _sources(config), config.data
    if sources:  # a file that comes in a moment later is not read with them
        data = data.model_copy(update={"log": tuple(source.path for source in sources)})
    return replace(
        request,
        data=data,
        made_from=_made_from(config, sources),
        sources=sources,
        configuration=_configuration(config),
    )


def _configuration(config: RunConfig) -> dict[str, str]:
    """Return a digest of every part of the configuration that the prepared data depends on."""
    data = with_absolute_paths(config).data
    parts = {
        f"data.{name}": data.model_dump_json(include={name}) for name in type(data).model_fields
    }
    del parts["data.log"]
    parts["features"] = "\x1f".join(
        f"{n}={f.model_dump_json()}" for n, f in config.features.items()
    )
    parts["statistics"] = "\x1f".join(
        f"{n}={s.model_dump_json()}" for n, s in config.statistics.items()
    )
    parts["tasks"] = "\x1f".join(label.model_dump_json() for label in config.label_specs())
    return {name: text_digest(part) for name, part in parts.items()}


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
    files = [f"{file.path}:{file.size}" for file in (*_sources(config), *_side_tables(config))]
    return text_digest("\x1f".join([config.data.split.model_dump_json(), *files]))


def _made_from(config: RunConfig, sources: Sequence[SourceFile]) -> str:
    files = [*sources, *_side_tables(config)]
    parts = [
        str(FORMAT_VERSION),
        *_configuration(config).values(),
        *(() if sources else (config.data.model_dump_json(include={"log"}),)),
        *(f"{file.path}:{file.size}:{file.mtime_ns}" for file in files),
    ]
    return text_digest("\x1f".join(parts))


def _sources(config: RunConfig) -> tuple[SourceFile, ...]:
    """Return the files of the log as they are now; none if some are on other machines."""
    places = [config.data.log] if isinstance(config.data.log, str) else config.data.log
    if any("://" in place for place in places):
        return ()
    return _files(config, config.data.log)


def _side_tables(config: RunConfig) -> tuple[SourceFile, ...]:
    return tuple(file for join in config.data.joins for file in _files(config, join.table))


def _files(config: RunConfig, place: str | Sequence[str]) -> tuple[SourceFile, ...]:
    paths = [path for path in table_files(place, config.folder) if path.exists()]
    stats = [(path, path.stat()) for path in paths]
    return tuple(
        SourceFile(path=str(path.absolute()), size=stat.st_size, mtime_ns=stat.st_mtime_ns)
        for path, stat in stats
    )

"""Every path that a run writes.

config.toml       complete, with every default written out
schema.json       which number stands where
environment.json  versions and machine
encoder/          the fitted encoder
checkpoints/      last.safetensors, best.safetensors
log.jsonl         one line per event; tensorboard/ holds the same for TensorBoard
scores.parquet    scores of the test rows
metrics.json      metrics of the test rows, with intervals
calibration.json  maps of `calibrate`, if it ran; calibration_report.json says what they change
fusion/           trials of a search of fusion weights, and the formula it found
.lock             which process is training here; gone afterwards
"""

import os
import platform
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from paretorank.config import RunConfig, load_config, to_toml
from paretorank.data.encoder import Encoder
from paretorank.data.encoder_store import load_encoder
from paretorank.data.layout import Layout
from paretorank.foundation.errors import ConfigError, RunError, ShardError
from paretorank.foundation.files import (
    atomic_path,
    read_json,
    remove_partial_files,
    write_json,
    write_text,
)
from paretorank.foundation.lock import LOCK_FILE, folder_lock

_PACKAGES = ("paretorank", "torch", "polars", "numpy", "pyarrow", "torchjd", "scipy")


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run."""

    path: Path

    @property
    def config_path(self) -> Path:
        """The complete configuration."""
        return self.path / "config.toml"

    @property
    def checkpoints(self) -> Path:
        """Weights and the state of training."""
        return self.path / "checkpoints"

    @property
    def metrics_path(self) -> Path:
        """Metrics of the test rows."""
        return self.path / "metrics.json"

    @property
    def scores_path(self) -> Path:
        """Scores of the test rows."""
        return self.path / "scores.parquet"

    @property
    def calibration_path(self) -> Path:
        """Calibration maps, if there are any."""
        return self.path / "calibration.json"

    @property
    def calibration_report_path(self) -> Path:
        """Scores before and after calibration, beside what happened."""
        return self.path / "calibration_report.json"

    @property
    def fusion_path(self) -> Path:
        """The fusion formula that was found, if one was searched."""
        return self.path / "fusion" / "fusion.json"

    @property
    def encoder_folder(self) -> Path:
        """The fitted encoder."""
        return self.path / "encoder"

    def begin(
        self,
        config: RunConfig,
        layout: Layout,
        encoder_folder: Path,
        *,
        log: str = "",
        split_from: int = 0,
    ) -> None:
        """Write what is known before training: configuration, schema, environment, encoder.

        Args:
            config: of the run.
            layout: of the prepared rows.
            encoder_folder: where the encoder was fitted.
            log: digest of the log's state; empty where rows were handed over instead.
            split_from: first row of the log that a split by time divides.
        """
        write_text(self.config_path, to_toml(with_absolute_paths(config)))
        write_text(self.path / "schema.json", layout.model_dump_json(indent=1) + "\n")
        prepared = str(encoder_folder.parent.absolute())
        facts = {"log": log, "prepared": prepared, "split_from": split_from}
        write_json(self.path / "environment.json", {**environment(), **facts})
        for source in sorted(path for path in encoder_folder.rglob("*") if path.is_file()):
            with atomic_path(self.encoder_folder / source.relative_to(encoder_folder)) as temporary:
                shutil.copyfile(source, temporary)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out of the folder, and remove what killed ones left half-written.

        Raises:
            RunError: another process is training in the folder.
        """
        hint = "Wait until it is done, or choose another folder with --out."
        with folder_lock(self.path, what="The run folder", hint=hint):
            remove_partial_files(self.path)
            yield

    @property
    def was_begun(self) -> bool:
        """Whether a training was started here, be it only for a moment before it was killed."""
        return self.config_path.exists() or (self.path / LOCK_FILE).exists()

    def read_config(self, overrides: Sequence[str] = ()) -> RunConfig:
        """Read the configuration of a run.

        Raises:
            ConfigError: an override is wrong.
            RunError: the folder holds no run, or its configuration is damaged.
        """
        if not self.config_path.exists():
            raise RunError(
                f"{self.path} holds no run (config.toml is missing).",
                hint="Give the folder that `paretorank train` has printed.",
            )
        try:
            config = load_config(self.config_path)
        except ConfigError as error:
            raise RunError(
                f"{error} The configuration of the run is damaged.",
                hint="Put the file back as `train` has written it, or train again.",
            ) from None
        return load_config(self.config_path, overrides) if overrides else config

    def recorded(self, name: str) -> str:
        """Return a fact that `begin` wrote down: "log" or "prepared"; empty if there is none.

        Raises:
            RunError: the file is damaged.
        """
        path = self.path / "environment.json"
        if not path.exists():
            return ""
        hint = "Delete the file; `evaluate` will then want its rows by --data."
        try:
            facts = read_json(path)
        except RunError as error:
            raise RunError(str(error), hint=hint) from None
        if not isinstance(facts, dict):
            raise RunError(f"{path} is damaged: it holds no table.", hint=hint)
        return str(facts.get(name, ""))

    @property
    def split_from(self) -> int:
        """First row of the log that a split by time divides; appending has moved it on."""
        return int(self.recorded("split_from") or 0)

    def read_encoder(self) -> Encoder:
        """Read the encoder of a run.

        Raises:
            RunError: a file is missing or damaged.
        """
        try:
            return load_encoder(self.encoder_folder)
        except ShardError as error:
            raise RunError(
                str(error),
                hint=f"`paretorank train --resume {self.path}` copies it anew from the data set.",
            ) from error


def with_absolute_paths(config: RunConfig) -> RunConfig:
    """Return the configuration with paths that hold from any folder."""
    data, folder = config.data, config.folder.absolute()

    def absolute(place: str) -> str:
        return place if "://" in place else str(folder / place)

    log = absolute(data.log) if isinstance(data.log, str) else tuple(map(absolute, data.log))
    joins = tuple(join.model_copy(update={"table": absolute(join.table)}) for join in data.joins)
    changed = data.model_copy(update={"log": log, "joins": joins})
    return config.model_copy(update={"data": changed})


def environment() -> dict[str, str | int | None]:
    """Return the versions and the machine that a run depends on."""
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        **{package: _version(package) for package in _PACKAGES},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

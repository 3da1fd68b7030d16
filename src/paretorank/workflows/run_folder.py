"""Every path that a run writes.

config.toml       complete, with every default written out
schema.json       which number stands where
environment.json  versions and machine
encoder/          the fitted encoder
checkpoints/      last.safetensors, best.safetensors
log.jsonl         one line per event; tensorboard/ holds the same for TensorBoard
scores.parquet    scores of the test rows
metrics.json      metrics of the test rows, with intervals
"""

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from paretorank.config import RunConfig, load_config, to_toml
from paretorank.data.encoder import Encoder
from paretorank.data.encoder_store import load_encoder
from paretorank.data.layout import Layout
from paretorank.foundation.errors import RunError
from paretorank.foundation.files import write_json, write_text

_PACKAGES = ("paretorank", "torch", "polars", "numpy", "pyarrow", "torchjd", "scikit-learn")


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
    def encoder_folder(self) -> Path:
        """The fitted encoder."""
        return self.path / "encoder"

    def begin(self, config: RunConfig, layout: Layout, encoder_folder: Path) -> None:
        """Write what is known before training: configuration, schema, environment, encoder."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_text(self.config_path, to_toml(with_absolute_paths(config)))
        write_text(self.path / "schema.json", layout.model_dump_json(indent=1) + "\n")
        write_json(self.path / "environment.json", environment())
        shutil.copytree(encoder_folder, self.encoder_folder, dirs_exist_ok=True)

    def read_config(self) -> RunConfig:
        """Read the configuration of a run.

        Raises:
            RunError: the folder holds no run.
        """
        if not self.config_path.exists():
            raise RunError(
                f"{self.path} holds no run (config.toml is missing).",
                hint="Give the folder that `paretorank train` has printed.",
            )
        return load_config(self.config_path)

    def read_encoder(self) -> Encoder:
        """Read the encoder of a run."""
        return load_encoder(self.encoder_folder)


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

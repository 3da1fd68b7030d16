"""The bytes of a prepared data set.

manifest.json                  written last: a folder without it is not a data set
encoder/                       the fitted encoder
shards/train-00000/codes.npy   int32 [N, F]   categorical codes
                   numeric.npy float32 [N, M] numbers, NaN = missing
                   labels.npy  float32 [N, T] labels, NaN = not observed
                   weight.npy  float32 [N]
                   user.npy    int64 [N]      hash of the user, or the row where there is none
                   request.npy int64 [N]      hash of the request; the user where there is none
                   row.npy     int64 [N]      place of the row in the log
                   ragged0.values.npy, ragged0.offsets.npy, ...

A shard belongs to the split that the manifest gives it; its folder keeps the name that it was
written under.
"""

from pathlib import Path

from pydantic import Field

from paretorank.data.layout import Layout
from paretorank.foundation.errors import RunError, ShardError
from paretorank.foundation.files import read_json, write_text
from paretorank.foundation.section import Section
from paretorank.schema import SplitName

FORMAT_VERSION = 2
MANIFEST = "manifest.json"
ENCODER_FOLDER = "encoder"
SHARD_FOLDER = "shards"
ARRAYS = ("codes", "numeric", "labels", "weight", "user", "request", "row")


class ShardEntry(Section):
    """One folder of arrays."""

    name: str
    split: SplitName
    n_rows: int
    digests: dict[str, str]
    """File name -> BLAKE2b digest of its bytes."""


class SourceFile(Section):
    """One file of the log as it was when its rows were prepared."""

    path: str
    size: int
    mtime_ns: int


class LabelSummary(Section):
    """What a label looks like on one split."""

    task: str
    split: SplitName
    n_observed: int
    mean: float | None


class Manifest(Section):
    """What is in a prepared data set and what it was made from."""

    format_version: int
    made_from: str
    """Digest of the configuration and of the source files."""
    sources: tuple[SourceFile, ...] = ()
    """Files of the log in the order of their rows; none where rows were handed over."""
    configuration: dict[str, str] = Field(default_factory=dict)
    """Part of the configuration -> its digest; the list of files is no part."""
    n_log_rows: int = 0
    """Rows of the log; appended rows go on counting here."""
    split_from: int = 0
    """With by = "time": first row of the log that the split divides; all before it are train."""
    layout: Layout
    shards: tuple[ShardEntry, ...]
    labels: tuple[LabelSummary, ...]
    encoder: dict[str, str] = Field(default_factory=dict)
    """File name in the encoder's folder -> BLAKE2b digest of its bytes."""

    def n_rows(self, split: str) -> int:
        """Return how many rows a split has."""
        return sum(shard.n_rows for shard in self.shards if shard.split == split)

    def write(self, folder: Path) -> None:
        """Write the manifest, which makes the folder a complete data set."""
        write_text(folder / MANIFEST, self.model_dump_json(indent=1) + "\n")

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read the manifest of a complete data set.

        Raises:
            ShardError: there is none, it is damaged, or another version wrote it.
        """
        path = folder / MANIFEST
        if not path.exists():
            raise ShardError(
                f"{folder} holds no prepared data set ({MANIFEST} is missing).",
                hint="Run `paretorank ingest CONFIG`; an interrupted ingest starts anew.",
            )
        try:
            content = read_json(path)
        except RunError as error:
            raise ShardError(str(error), hint="Prepare the data again with `ingest`.") from None
        version = content.get("format_version") if isinstance(content, dict) else None
        if version != FORMAT_VERSION:
            raise ShardError(
                f"{path} has the format version {version}, this is version {FORMAT_VERSION}.",
                hint="Prepare the data again with `paretorank ingest CONFIG`.",
            )
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValueError as error:
            raise ShardError(
                f"{path} is damaged: {error}", hint="Prepare the data again with `ingest`."
            ) from None

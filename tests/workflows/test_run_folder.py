"""The folder of a run."""

import json
from pathlib import Path

import pytest

from paretorank.config import RunConfig
from paretorank.data.layout import Layout
from paretorank.foundation.errors import RunError
from paretorank.schema import JoinConfig
from paretorank.workflows.ingest import Prepared
from paretorank.workflows.run_folder import RunFolder, environment, with_absolute_paths


def test_what_is_known_before_training_is_written_first(
    config: RunConfig, prepared: Prepared, tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.begin(config, prepared.manifest.layout, prepared.encoder_folder)
    assert folder.read_config().tasks == config.tasks
    schema = (folder.path / "schema.json").read_text()
    assert Layout.model_validate_json(schema) == prepared.manifest.layout
    assert folder.read_encoder().layout == prepared.manifest.layout
    known = json.loads((folder.path / "environment.json").read_text())
    assert environment().items() <= known.items()
    assert Path(folder.recorded("prepared")) == prepared.folder.absolute()


def test_beginning_twice_replaces_what_was_there(
    config: RunConfig, prepared: Prepared, tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path)
    for _ in range(2):
        folder.begin(config, prepared.manifest.layout, prepared.encoder_folder)
    assert folder.read_config().tasks == config.tasks


def test_relative_paths_become_absolute_and_addresses_stay(config: RunConfig) -> None:
    joins = (JoinConfig(table="side.csv", on="k"), JoinConfig(table="s3://b/t.csv", on="k"))
    data = config.data.model_copy(update={"log": ("a.parquet", "/b.parquet"), "joins": joins})
    moved = with_absolute_paths(config.model_copy(update={"data": data}).at(Path("/x/c.toml")))
    assert moved.data.log == ("/x/a.parquet", "/b.parquet")
    assert [join.table for join in moved.data.joins] == ["/x/side.csv", "s3://b/t.csv"]


def test_the_environment_names_versions_and_what_is_not_installed() -> None:
    found = environment()
    assert found["torch"]
    assert str(found["python"]).startswith("3.")


def test_a_folder_without_a_configuration_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"config\.toml is missing"):
        RunFolder(tmp_path).read_config()

import json
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from paretorank.cli.doctor import doctor
from paretorank.workflows import doctor as workflow
from paretorank.workflows.doctor import Check, diagnose

app = Typer()
app.command()(doctor)


def named(checks: list[Check], name: str) -> Check:
    return next(check for check in checks if check.name == name)


def test_a_sound_installation_has_nothing_wrong(tmp_path: Path) -> None:
    checks = diagnose(tmp_path)
    assert not [check for check in checks if check.status == "wrong"]
    assert {"python", "torch", "polars", "folder", "disk"} <= {check.name for check in checks}


def test_spinning_threads_are_warned_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert named(diagnose(tmp_path), "OMP_WAIT_POLICY").status == "warn"
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    assert named(diagnose(tmp_path), "OMP_WAIT_POLICY").status == "ok"


def test_a_folder_that_is_not_there_is_wrong(tmp_path: Path) -> None:
    checks = diagnose(tmp_path / "ghost")
    assert named(checks, "folder").status == "wrong"
    assert named(checks, "folder").remedy


def test_an_old_or_absent_package_is_wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    needs = {"numpy": (99,), "no-such-package": (1,)}
    monkeypatch.setattr(workflow, "_REQUIRED", needs)
    checks = diagnose(tmp_path)
    assert "older than 99" in named(checks, "numpy").value
    assert named(checks, "no-such-package").remedy == "pip install 'no-such-package>=1'"


def test_the_command_exits_with_3_when_something_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = CliRunner().invoke(app, ["--json"])
    assert sound.exit_code == 0
    assert json.loads(sound.stdout)[0]["name"] == "python"
    monkeypatch.setattr(workflow, "_REQUIRED", {"no-such-package": (1,)})
    assert CliRunner().invoke(app, []).exit_code == 3

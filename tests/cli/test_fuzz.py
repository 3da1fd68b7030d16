"""A short run of the fuzzer: damaged input is read or refused, and never crashes or hangs."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.slow
def test_damaged_configurations_and_files_are_read_or_refused() -> None:
    command = [sys.executable, BENCHMARKS / "fuzz.py", "--toml", "200", "--files", "30"]
    found = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stdout
    assert "ConfigError" in found.stdout
    assert "DataError" in found.stdout

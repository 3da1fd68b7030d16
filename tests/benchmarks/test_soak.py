"""The soak itself: it kills, goes on, and compares."""

import subprocess
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).parents[2] / "benchmarks" / "soak.py"


@pytest.mark.slow
def test_three_kills_leave_no_trace(tmp_path: Path) -> None:
    command = [sys.executable, str(SOAK), "--kills", "3", "--folder", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every file is the one of the undisturbed run" in done.stdout
    assert list(tmp_path.iterdir()) == []

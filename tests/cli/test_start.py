"""What a command costs before it works: help is fast and loads no torch."""

import subprocess
import sys
import time

import pytest

from paretorank import __version__

COMMANDS = (
    "demo",
    "init",
    "audit",
    "ingest",
    "train",
    "evaluate",
    "calibrate",
    "compare",
    "fuse",
    "off-policy",
    "front",
    "predict",
    "data",
    "explain",
    "doctor",
)
HEAVY = "{'torch', 'polars', 'pandas', 'pyarrow', 'sklearn', 'torchjd', 'tensorboard'}"


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def test_the_list_of_commands_is_complete() -> None:
    done = python("-m", "paretorank", "--help")
    assert done.returncode == 0, done.stderr
    for command in COMMANDS:
        assert f"  {command} " in done.stdout


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_loads_nothing_heavy(command: str) -> None:
    arguments = [word for word in (command, "--help") if word]
    code = (
        "import sys; from paretorank.cli.main import app\n"
        f"try: app({arguments!r})\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        f"heavy = {HEAVY} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = python("-c", code)
    assert done.returncode == 0, done.stderr
    assert "Usage:" in done.stdout


def test_help_answers_in_the_blink_of_an_eye() -> None:
    """Half a second of processor time is promised; a busy machine gets some patience."""
    bare = min(seconds("-c", "pass") for _ in range(2))
    ours = min(seconds("-m", "paretorank", "--help") for _ in range(3))
    assert ours - bare < 1.5


def seconds(*arguments: str) -> float:
    started = time.perf_counter()
    assert python(*arguments).returncode == 0
    return time.perf_counter() - started


def test_no_command_shows_the_help_and_an_error_code() -> None:
    done = python("-m", "paretorank")
    assert done.returncode == 2
    assert "Usage:" in done.stdout + done.stderr


def test_a_mistake_ends_with_two_on_the_error_stream_of_a_real_process() -> None:
    done = python("-m", "paretorank", "train", "nothing.toml")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "error: nothing.toml does not exist." in done.stderr


def test_the_version_is_known_without_installing() -> None:
    assert __version__.count(".") == 2


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = f"import sys, paretorank; heavy = {HEAVY} & set(sys.modules); assert not heavy, heavy"
    done = python("-c", code)
    assert done.returncode == 0, done.stderr

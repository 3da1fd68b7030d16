"""The setting of the C library."""

import subprocess
import sys


def test_the_setting_is_taken_on_linux_and_harmless_elsewhere() -> None:
    """In a process of its own: the setting stays for the life of a process."""
    code = "from paretorank.foundation.memory import keep_freed_memory; print(keep_freed_memory())"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    taken = answer.stdout.strip()
    assert taken in ({"True", "False"} if sys.platform.startswith("linux") else {"False"})

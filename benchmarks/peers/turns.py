"""Take turns: a competitor runs some steps whenever it is told to, and says how long they took.

The process prints `ready`, then answers every line on standard input with one line of JSON. So
several competitors can run in turns on the same machine, and their times can be compared pair by
pair although the machine's speed drifts.
"""

import json
import sys
import time
from collections.abc import Callable


def take_turns(step: Callable[[int], object], rows_per_step: int, n_steps: int) -> None:
    """Run `n_steps` steps per line of standard input; warms up first."""
    for at in range(5):
        step(at)
    _say({"ready": True})
    done = 5
    for _ in sys.stdin:
        started = time.perf_counter()
        for at in range(done, done + n_steps):
            step(at)
        done += n_steps
        _say({"rows_per_s": n_steps * rows_per_step / (time.perf_counter() - started)})


def _say(facts: dict[str, object]) -> None:
    sys.stdout.write("@" + json.dumps(facts) + "\n")
    sys.stdout.flush()

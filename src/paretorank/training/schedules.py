"""The learning rate of a step, as a share of its full value."""

import math

from paretorank.training.settings import ScheduleConfig


def rate_at(config: ScheduleConfig, step: int, n_steps: int) -> float:
    """Return the factor for step `step` of `n_steps`, counted from 0.

    >>> flat = ScheduleConfig(kind="constant", warmup_fraction=0.0)
    >>> rate_at(flat, 7, 10)
    1.0
    """
    warmup = math.ceil(config.warmup_fraction * n_steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    done = (step - warmup) / max(1, n_steps - warmup)
    match config.kind:
        case "constant":
            return 1.0
        case "linear":
            fall = 1.0 - done
        case "cosine":
            fall = 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0)))
    return config.final_fraction + (1.0 - config.final_fraction) * max(fall, 0.0)

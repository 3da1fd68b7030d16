"""How the C library hands back memory."""

import ctypes
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # parameters of mallopt, glibc's malloc.h
_LARGEST_KEPT = 1 << 30
_GROWTH = 64 << 20


def keep_freed_memory() -> bool:
    """Let glibc reuse large freed blocks instead of giving them back to the system at once.

    A training step frees and takes the same large tensors again and again; without this, each
    time the system clears their pages anew. Elsewhere than on Linux with glibc nothing happens.
    Returns whether the setting was taken.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    taken = [
        mallopt(_MMAP_THRESHOLD, _LARGEST_KEPT),
        mallopt(_TRIM_THRESHOLD, 2 * _LARGEST_KEPT - 1),
        mallopt(_TOP_PAD, _GROWTH),
    ]
    return all(taken)

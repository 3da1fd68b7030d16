"""One root seed, many independent generators with names."""

import hashlib

import numpy as np


def derive_seed(root: int, *names: str | int) -> int:
    """Return a 63-bit seed that depends on the root and on every name, and on nothing else.

    >>> derive_seed(1, "shuffle", 0) == derive_seed(1, "shuffle", 0)
    True
    >>> derive_seed(1, "shuffle", 0) == derive_seed(1, "shuffle", 1)
    False
    """
    text = "\x1f".join([str(root), *(str(name) for name in names)])
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def named_generator(root: int, *names: str | int) -> np.random.Generator:
    """Return a NumPy generator for one named purpose."""
    return np.random.default_rng(derive_seed(root, *names))

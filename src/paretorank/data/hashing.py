"""Hashes of keys that are the same on every machine, in every version, for ever.

Integers go through SplitMix64 (Steele, Lea, Flood, OOPSLA 2014, fig. 15); everything else is
hashed as text with BLAKE2b, once per distinct value.
"""

import hashlib

import numpy as np
import polars as pl
from jaxtyping import Int64, UInt64

_INCREMENT = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_INTEGERS = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.Boolean)
_NULL_HASH = 0x6E756C6C6E756C6C
_SECOND = np.uint64(0x94D049BB133111EB)


def stable_hash(values: pl.Series, *, seed: int = 0) -> UInt64[np.ndarray, " N"]:
    """Return one 64-bit hash per value; null hashes like a value of its own."""
    if values.dtype == pl.UInt64:
        values = values.reinterpret(signed=True)
    if values.dtype in _INTEGERS:
        raw = values.cast(pl.Int64).fill_null(np.iinfo(np.int64).min).to_numpy()
        return mix(raw, seed=seed)
    text = values.cast(pl.String)
    unique = text.drop_nulls().unique()
    hashed = np.array([*map(_hash_text, unique), _NULL_HASH], dtype=np.uint64)
    places = pl.Series(np.arange(len(unique)))
    position = text.replace_strict(unique, places, default=None, return_dtype=pl.Int64)
    at = position.fill_null(len(unique)).to_numpy()
    return mix(hashed[at].view(np.int64), seed=seed)


def mix(values: Int64[np.ndarray, " N"], *, seed: int = 0) -> UInt64[np.ndarray, " N"]:
    """Return SplitMix64 of integers, shifted by a seed."""
    with np.errstate(over="ignore"):
        state = values.astype(np.int64, copy=False).view(np.uint64) + _INCREMENT * np.uint64(
            seed + 1
        )
        state = (state ^ (state >> np.uint64(30))) * _FIRST
        state = (state ^ (state >> np.uint64(27))) * _SECOND
        return state ^ (state >> np.uint64(31))


def unit_interval(hashed: UInt64[np.ndarray, " N"]) -> np.ndarray:
    """Return hashes as numbers in [0, 1)."""
    return (hashed >> np.uint64(11)).astype(np.float64) / float(1 << 53)


def _hash_text(value: str) -> int:
    return int.from_bytes(hashlib.blake2b(value.encode(), digest_size=8).digest(), "little")

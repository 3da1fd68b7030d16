"""A long log in time order, written some rows at a time: the columns of the workload, and a clock.

    python benchmarks/long_log.py FOLDER [--rows 20000000] [--rows-per-file 500000] [--drift 0]

The columns are those of `workload.py` and `time_s`, which grows. With drift, the effects of all
values turn into others from the first row to the last (0: stay; 1: the last rows have nothing to do
with the first), so that the order of training rows matters. Memory is that of one file.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from workload import CARDINALITIES, CONTEXT, ITEM, LABELS, NUMBERS, RATES, USER

_RANK = 6
_SECONDS_PER_ROW = 0.05
_CALIBRATION_ROWS = 200_000


@dataclass(frozen=True)
class World:
    """What does not change from file to file."""

    popularity: dict[str, np.ndarray]
    """Running sums of the weights of the values of keys and contexts."""
    attributes: dict[str, np.ndarray]
    """Value of each attribute of a user or an item, by its key."""
    effects: np.ndarray
    """Effect of every value of every column on each label, at the start and at the end."""
    taste: dict[str, np.ndarray]
    bends: np.ndarray

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "World":
        """Return a world."""
        exponents = {"user_id": 0.75, "item_id": 0.95} | dict.fromkeys(CONTEXT, 0.85)
        sizes = {name: CARDINALITIES[name] for name in exponents}
        popularity = {
            name: np.cumsum((np.arange(size) + 8.0) ** -exponents[name])
            for name, size in sizes.items()
        }
        attributes = {
            name: rng.integers(0, size, group[key]).astype(np.int32)
            for group, key in ((USER, "user_id"), (ITEM, "item_id"))
            for name, size in group.items()
            if name != key
        }
        total = sum(CARDINALITIES.values())
        effects = rng.normal(0, 0.3, (2, len(LABELS), total)).astype(np.float32)
        taste = {
            key: rng.normal(0, 0.9, (CARDINALITIES[key], _RANK)).astype(np.float32)
            for key in ("user_id", "item_id")
        }
        return cls(popularity, attributes, effects, taste, rng.normal(0, 0.3, (len(LABELS), 8)))

    def rows(
        self,
        n_rows: int,
        first: int,
        angle: np.ndarray,
        shift: list[float],
        rng: np.random.Generator,
    ) -> tuple[pl.DataFrame, np.ndarray]:
        """Return rows and their logits; `angle` turns effects from the first to the second."""
        ids = {name: _draw(mass, n_rows, rng) for name, mass in self.popularity.items()}
        for name, values in self.attributes.items():
            ids[name] = values[ids["user_id" if name in USER else "item_id"]]
        numbers = rng.normal(size=(n_rows, len(NUMBERS))).astype(np.float32)
        logits = self._logits(ids, numbers, angle) + np.array(shift)
        happened = rng.random((n_rows, len(LABELS))) < 1 / (1 + np.exp(-logits))
        happened[:, 1] &= happened[:, 0]
        columns = {name: ids[name] for name in CARDINALITIES}
        columns |= {name: numbers[:, at] for at, name in enumerate(NUMBERS)}
        columns |= {name: happened[:, at].astype(np.int8) for at, name in enumerate(LABELS)}
        columns["time_s"] = ((first + np.arange(n_rows)) * _SECONDS_PER_ROW).astype(np.int64)
        return pl.DataFrame(columns), logits

    def _logits(
        self, ids: dict[str, np.ndarray], numbers: np.ndarray, angle: np.ndarray
    ) -> np.ndarray:
        match = np.einsum(
            "nr,nr->n", self.taste["user_id"][ids["user_id"]], self.taste["item_id"][ids["item_id"]]
        )
        logits = np.tanh(numbers) @ self.bends.T + match[:, None] / np.sqrt(_RANK)
        turns, start = (np.cos(angle), np.sin(angle)), 0
        for name, size in CARDINALITIES.items():
            for label in range(len(LABELS)):
                for effects, turn in zip(self.effects, turns, strict=True):
                    if turn.any():
                        logits[:, label] += effects[label, start + ids[name]] * turn
            start += size
        return logits


def write(
    folder: Path, n_rows: int, *, rows_per_file: int = 500_000, drift: float = 0.0, seed: int = 7
) -> None:
    """Write log/00000.parquet and so on."""
    (folder / "log").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    world = World.draw(rng)
    still = np.zeros(_CALIBRATION_ROWS)
    _, logits = world.rows(_CALIBRATION_ROWS, 0, still, [0.0, 0.0], rng)
    wanted = (RATES[0], RATES[1] / RATES[0])
    shift = [_shift(logits[:, at], rate) for at, rate in enumerate(wanted)]
    for number, first in enumerate(range(0, n_rows, rows_per_file)):
        size = min(rows_per_file, n_rows - first)
        angle = drift * np.pi / 2 * (first + np.arange(size)) / n_rows
        rows, _ = world.rows(size, first, angle, shift, rng)
        rows.write_parquet(folder / "log" / f"{number:05d}.parquet", compression="lz4")


def _draw(mass: np.ndarray, n_rows: int, rng: np.random.Generator) -> np.ndarray:
    at = np.searchsorted(mass, rng.random(n_rows) * mass[-1])
    return at.clip(max=len(mass) - 1).astype(np.int32)


def _shift(logit: np.ndarray, rate: float) -> float:
    low, high = -20.0, 10.0
    for _ in range(50):
        middle = (low + high) / 2
        too_many = (1 / (1 + np.exp(-(logit + middle)))).mean() > rate
        low, high = (low, middle) if too_many else (middle, high)
    return low


def main() -> None:
    """Write a log into a folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--rows-per-file", type=int, default=500_000)
    parser.add_argument("--drift", type=float, default=0.0)
    given = parser.parse_args()
    write(given.folder, given.rows, rows_per_file=given.rows_per_file, drift=given.drift)


if __name__ == "__main__":
    main()

"""What the drivers of whole roads share: the log as arrays, clocked stages, the outcome on disk.

Every driver is `python DRIVER.py FOLDER SEED OUT`: it reads FOLDER/train.parquet and test.parquet,
prepares, trains one epoch, scores the test rows and writes OUT/road.json: the test AUC of each task
and the seconds of each stage.
"""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from sklearn.preprocessing import LabelEncoder

EMBEDDING_DIM, N_EXPERTS, EXPERT_DIMS, TOWER_DIMS = 16, 8, [256, 128], [64]
LEARNING_RATE, BATCH, LABELS = 1e-3, 2048, ("click", "conversion")
NUMBERS = [f"x{at}" for at in range(8)]
TRAIN, VALID = 0, 1
FOLDER, SEED, OUT = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
_STAGES: dict[str, float] = {}


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Clock a stage."""
    started = time.perf_counter()
    yield
    _STAGES[name] = time.perf_counter() - started


def read(name: str) -> dict[str, np.ndarray]:
    """Return the columns of `train` (its training and validation rows) or `test`."""
    table = pq.read_table(FOLDER / f"{name}.parquet")
    return {column: table[column].to_numpy() for column in table.column_names}


def encode_labels(*parts: dict[str, np.ndarray]) -> dict[str, int]:
    """Number the values of each categorical column over all rows, and return their counts."""
    sizes = {}
    for name in parts[0]:
        if name in {*NUMBERS, *LABELS, "part"}:
            continue
        encoder = LabelEncoder().fit(np.concatenate([part[name] for part in parts]))
        for part in parts:
            part[name] = encoder.transform(part[name])
        sizes[name] = len(encoder.classes_)
    return sizes


def of_part(rows: dict[str, np.ndarray], part: int) -> dict[str, np.ndarray]:
    """Return the training or the validation rows."""
    kept = rows["part"] == part
    return {name: values[kept] for name, values in rows.items()}


def labels_of(rows: dict[str, np.ndarray]) -> np.ndarray:
    """Return the labels, rows x tasks."""
    return np.stack([rows[name] for name in LABELS], axis=1)


def keep(auc: Sequence[float]) -> None:
    """Write the test AUC of the tasks, and how long everything took."""
    outcome = {"auc": dict(zip(LABELS, map(float, auc), strict=True)), "seconds": _STAGES}
    (OUT / "road.json").write_text(json.dumps(outcome))

"""What every competitor is given: the same columns, the same model, the same optimizer."""

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

EMBEDDING_DIM, N_EXPERTS, EXPERT_DIMS, BOTTOM_DIMS, TOWER_DIMS = 16, 8, [256, 128], [512, 256], [64]
N_TASK_EXPERTS, N_SHARED_EXPERTS = 2, 4
LEARNING_RATE, LABELS, N_BATCHES = 1e-3, ("click", "conversion"), 16
BATCH = int(sys.argv[3]) if len(sys.argv) > 3 else 2048
FOLDER, MODEL = Path(sys.argv[1]), sys.argv[2]
STEPS_PER_TURN = 20


def cardinalities() -> dict[str, int]:
    """Return the size of every categorical column."""
    return json.loads((FOLDER / "cardinalities.json").read_text())


def columns(split: str, n_rows: int | None = None) -> dict[str, np.ndarray]:
    """Return the columns of `train` or `test`."""
    table = pq.read_table(FOLDER / f"{split}.parquet")
    if n_rows is not None:
        table = table.slice(0, n_rows)
    return {name: table[name].to_numpy() for name in table.column_names}


def numbers() -> list[str]:
    """Return the names of the numeric columns."""
    return [f"x{i}" for i in range(8)]

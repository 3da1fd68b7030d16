"""Scores of many rows.

Shapes: N rows, T tasks.
"""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float32

from paretorank.data.batch import Batch
from paretorank.foundation.progress import Listener, Progress, silent
from paretorank.model.ranker import MultiTaskRanker


def score_batches(
    model: MultiTaskRanker,
    batches: Iterable[Batch],
    *,
    total: int | None = None,
    listener: Listener = silent,
    stage: str = "score",
) -> Float32[np.ndarray, "N T"]:
    """Return the scores of all rows, in the order of the batches; the model's mode is kept."""
    was_training = model.training
    model.eval()
    parts, done = [np.zeros((0, len(model.task_names)), np.float32)], 0
    try:
        for batch in batches:
            parts.append(model.scores(batch).numpy())
            done += len(batch)
            listener(Progress(stage, done, total))
    finally:
        model.train(was_training)
    return np.concatenate(parts)

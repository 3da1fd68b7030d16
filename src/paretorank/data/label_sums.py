"""How many labels each split has, and what they come to."""

from collections.abc import Sequence

import numpy as np

from paretorank.data.shard_format import LabelSummary
from paretorank.data.splits import SPLITS
from paretorank.schema import SplitName


class LabelSums:
    """Counts and sums of the observed labels per split."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._sums = {split: np.zeros((2, len(names))) for split in SPLITS}

    def update(self, split: SplitName, labels: np.ndarray) -> None:
        """Take in the labels of more rows, NaN where not observed."""
        observed = ~np.isnan(labels)
        self._sums[split] += np.stack([observed.sum(0), np.where(observed, labels, 0).sum(0)])

    def add(self, summary: LabelSummary, split: SplitName) -> None:
        """Take in what is known of other rows, as labels of a split."""
        at = self._names.index(summary.task)
        self._sums[split][:, at] += (
            summary.n_observed,
            summary.n_observed * (summary.mean or 0.0),
        )

    def result(self) -> tuple[LabelSummary, ...]:
        """Return counts and means."""
        return tuple(
            LabelSummary(
                task=name,
                split=split,
                n_observed=int(count),
                mean=float(total / count) if count else None,
            )
            for split in SPLITS
            for name, count, total in zip(self._names, *self._sums[split], strict=True)
        )

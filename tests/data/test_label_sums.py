"""Labels per split, counted row by row or taken from what is known."""

import numpy as np
import pytest

from paretorank.data.label_sums import LabelSums


def test_counts_and_means_leave_out_what_is_not_observed() -> None:
    sums = LabelSums(["click", "watch"])
    sums.update("train", np.array([[1, np.nan], [0, 4]], np.float32))
    sums.update("train", np.array([[1, 2]], np.float32))
    found = {(s.split, s.task): (s.n_observed, s.mean) for s in sums.result()}
    assert found["train", "click"] == (3, pytest.approx(2 / 3))
    assert found["train", "watch"] == (2, 3.0)
    assert found["test", "watch"] == (0, None)
    assert len(found) == 6


def test_summaries_add_up_in_the_split_that_is_named() -> None:
    before, sums = LabelSums(["click"]), LabelSums(["click"])
    before.update("train", np.array([[1], [0]], np.float32))
    before.update("valid", np.array([[1], [1]], np.float32))
    sums.update("valid", np.array([[0]], np.float32))
    for summary in before.result():
        sums.add(summary, "train")
    found = {s.split: (s.n_observed, s.mean) for s in sums.result()}
    assert found == {"train": (4, 0.75), "valid": (1, 0.0), "test": (0, None)}

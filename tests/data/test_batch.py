"""Batches and their parts."""

from itertools import pairwise

import numpy as np
import torch

from paretorank.data.batch import Batch, RaggedBatch, make_batch
from paretorank.data.encoded import EncodedRows, Ragged
from paretorank.data.sharing import SharedColumns

LISTS: list[list[int]] = [[1, 2], [1, 2], [], [4], [4], [4], [7, 8, 9]]
REQUEST = [0, 0, 1, 2, 2, 2, 3]


def encoded() -> EncodedRows:
    n = len(LISTS)
    lengths = [len(each) for each in LISTS]
    return EncodedRows(
        codes=np.stack([REQUEST, range(n)], axis=1).astype(np.int32),
        numeric=np.arange(n, dtype=np.float32)[:, None],
        ragged=(
            Ragged(
                np.concatenate([np.array(each, np.int32) for each in LISTS]).astype(np.int32),
                np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            ),
        ),
        labels=np.ones((n, 1), np.float32),
        weight=np.ones(n, np.float32),
        user=np.array(REQUEST, np.int64),
        request=np.array(REQUEST, np.int64),
        row=np.arange(n, dtype=np.int64),
    )


def lists(batch: RaggedBatch) -> list[list[int]]:
    bounds = batch.offsets.tolist()
    pairs = pairwise(bounds)
    return [batch.values[start:stop].tolist() for start, stop in pairs]


def test_lists_are_taken_in_any_order() -> None:
    (column,) = make_batch(encoded()).ragged
    assert lists(column.take(torch.tensor([6, 2, 0, 0]))) == [[7, 8, 9], [], [1, 2], [1, 2]]
    assert lists(column.take(torch.tensor([], dtype=torch.long))) == []


def test_parts_together_are_the_batch() -> None:
    whole = make_batch(encoded())
    parts = whole.split(3)
    assert [len(part) for part in parts] == [3, 3, 1]
    for name in ("codes", "numeric", "labels", "observed", "weight", "request", "row"):
        together = torch.cat([getattr(part, name) for part in parts])
        assert torch.equal(together, getattr(whole, name)), name
    assert [each for part in parts for each in lists(part.ragged[0])] == LISTS


def test_parts_keep_what_their_requests_have_in_common() -> None:
    shared = SharedColumns((0,), (), (0,))
    parts = make_batch(encoded(), shared).split(4)
    assert [request_codes(part) for part in parts] == [REQUEST[:4], REQUEST[4:]]
    assert [shared_lists(part) for part in parts] == [LISTS[:4], LISTS[4:]]
    for part in parts:
        assert part.shared is not None
        again = make_batch(encoded(), shared).split(len(part))
        assert len(again[0]) == len(part)
        ends = [*part.shared.starts.tolist()[1:], len(part)]
        for group, (start, end) in enumerate(zip(part.shared.starts.tolist(), ends, strict=True)):
            members = part.shared.members[start:end]
            assert set(part.shared.group[members].tolist()) == {group}


def request_codes(part: Batch) -> list[int]:
    """Return the shared code of each row, by way of its group."""
    assert part.shared is not None
    return part.codes[part.shared.first, 0][part.shared.group].tolist()


def shared_lists(part: Batch) -> list[list[int]]:
    assert part.shared is not None
    by_group = lists(part.shared.ragged[0])
    return [by_group[group] for group in part.shared.group.tolist()]

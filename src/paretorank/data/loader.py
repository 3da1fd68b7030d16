"""Batches in shuffled order from a data set larger than memory.

Blocks of consecutive rows are shuffled, several blocks together form a window, and the rows of a
window are shuffled in memory, one by one or request by request; one thread prepares windows and
batches ahead. The order depends on seed and epoch only, so that a position (epoch, step) can be
resumed exactly.
"""

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import PositiveInt

from paretorank.data.batch import Batch, make_batch
from paretorank.data.encoded import EncodedRows, concatenate
from paretorank.data.shard_reader import ShardSet
from paretorank.data.sharing import find_shared_columns
from paretorank.foundation.section import Section
from paretorank.foundation.seeds import named_generator

_QUEUE_LENGTH = 8


class LoaderConfig(Section):
    """How rows are shuffled."""

    block_rows: PositiveInt = 16_384
    """Consecutive rows that are read together."""
    window_blocks: PositiveInt = 16
    """Blocks whose rows are shuffled with one another; more is a better shuffle and more memory."""
    shuffle: Literal["rows", "requests"] = "rows"
    """requests: the rows of a request stay together, and what they have in common (the user, the
    moment) is computed once per request in the first layer. Faster with many rows per request; the
    rows of a batch are less independent."""


@dataclass(frozen=True)
class _Window:
    blocks: tuple[int, ...]
    n_rows: int


class Loader:
    """Iterates over the batches of one epoch of a split."""

    def __init__(
        self, shards: ShardSet, *, batch_size: int, config: LoaderConfig | None = None
    ) -> None:
        self.shards = shards
        self.batch_size = batch_size
        self.config = config or LoaderConfig()
        by_request = self.config.shuffle == "requests"
        self.shared = find_shared_columns(shards) if by_request else None

    @property
    def n_steps(self) -> int:
        """Return how many batches an epoch has; the last may be smaller."""
        return -(-len(self.shards) // self.batch_size)

    def shuffled(self, *, seed: int, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        """Return the batches of an epoch in shuffled order, from a given step on."""
        rows = self._shuffled_rows(seed, epoch, first_step * self.batch_size)
        return _ahead(make_batch(part, self.shared) for part in _regroup(rows, self.batch_size))

    def in_order(self) -> Iterator[Batch]:
        """Return all batches in the order of the log."""
        size = self.batch_size
        starts = range(0, len(self.shards), size)
        return _ahead(make_batch(self.shards.read(at, at + size)) for at in starts)

    def _shuffled_rows(self, seed: int, epoch: int, skip: int) -> Iterator[EncodedRows]:
        for number, window in enumerate(self._windows(seed, epoch)):
            if skip >= window.n_rows:
                skip -= window.n_rows
                continue
            rows = concatenate([self._block(block) for block in window.blocks])
            generator = named_generator(seed, "rows", epoch, number)
            order = self._order(rows, generator)
            yield rows.take(order[skip:])
            skip = 0

    def _order(self, rows: EncodedRows, generator: np.random.Generator) -> np.ndarray:
        if self.config.shuffle == "rows":
            return generator.permutation(len(rows))
        requests, of_row = np.unique(rows.request, return_inverse=True)
        return np.argsort(generator.permutation(len(requests))[of_row], kind="stable")

    def _windows(self, seed: int, epoch: int) -> list[_Window]:
        size, n_rows = self.config.block_rows, len(self.shards)
        order = named_generator(seed, "blocks", epoch).permutation(-(-n_rows // size)).tolist()
        step = self.config.window_blocks
        groups = [tuple(order[at : at + step]) for at in range(0, len(order), step)]
        return [
            _Window(group, sum(min(size, n_rows - block * size) for block in group))
            for group in groups
        ]

    def _block(self, block: int) -> EncodedRows:
        size = self.config.block_rows
        return self.shards.read(block * size, min((block + 1) * size, len(self.shards)))


def _regroup(parts: Iterator[EncodedRows], size: int) -> Iterator[EncodedRows]:
    rest: EncodedRows | None = None
    for part in parts:
        rows = part if rest is None else concatenate([rest, part])
        whole = len(rows) - len(rows) % size
        for at in range(0, whole, size):
            yield rows.slice(at, at + size)
        rest = rows.slice(whole, len(rows)) if whole < len(rows) else None
    if rest is not None:
        yield rest


def _ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Prepare batches in a thread; an error there is raised here, and leaving early stops it."""
    ready: queue.Queue[Batch | BaseException | None] = queue.Queue(_QUEUE_LENGTH)
    stopped = threading.Event()

    def put(item: Batch | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return

    def work() -> None:
        try:
            for batch in batches:
                put(batch)
                if stopped.is_set():
                    return
            put(None)
        except BaseException as error:  # noqa: BLE001 - handed over to the consumer
            put(error)

    thread = threading.Thread(target=work, name="paretorank-loader", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()

"""Random numbers for code that can only draw from the global generators."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def repeatable_draws(seed: int, device: torch.device) -> Iterator[None]:
    """Make what is drawn inside a function of the seed; outside, nothing was drawn."""
    on_cuda = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if on_cuda else []):
        torch.default_generator.manual_seed(seed)
        if on_cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield

"""AdamW without the compiler."""

import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from paretorank.training.dense_adam import DenseAdam

START = """
import sys, torch
from paretorank.training.dense_adam import DenseAdam
weight = torch.nn.Parameter(torch.ones(3))
optimizer = DenseAdam([weight], lr=0.1)
weight.sum().backward()
optimizer.step()
optimizer.zero_grad()
optimizer.load_state_dict(optimizer.state_dict())
sys.exit("torch._dynamo" in sys.modules)
"""


def parameters() -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(n, 3, generator=generator)) for n in (4, 2, 5)]


def gradients(step: int, like: list[nn.Parameter]) -> list[Tensor | None]:
    generator = torch.Generator().manual_seed(step)
    found = [torch.randn(p.shape, generator=generator) for p in like]
    return [None if step == 1 and at == 2 else grad for at, grad in enumerate(found)]


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_steps_are_those_of_the_fused_optimizer_to_the_last_bit(weight_decay: float) -> None:
    ours, theirs = parameters(), parameters()
    mine = DenseAdam([{"params": ours, "weight_decay": weight_decay}], lr=0.05)
    reference = torch.optim.AdamW(theirs, lr=0.05, weight_decay=weight_decay, fused=True)
    for step in range(4):
        for parameter, twin, grad in zip(ours, theirs, gradients(step, ours), strict=True):
            parameter.grad, twin.grad = grad, None if grad is None else grad.clone()
        mine.step()
        reference.step()
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_nothing_of_it_loads_the_compiler() -> None:
    ended = subprocess.run([sys.executable, "-c", START], check=False)
    assert ended.returncode == 0

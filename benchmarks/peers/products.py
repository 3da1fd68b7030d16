"""The bound: nothing but the matrix products of a step, in the same shapes, into buffers at hand.

python products.py FOLDER mmoe|ple|shared_bottom [BATCH]

Forward, gradient of the weights, gradient of the inputs: what no step of the same model can do
without. Our speed divided by this one's is the share of the machine's rate of multiplication.
"""

import torch
from setting import (
    BATCH,
    BOTTOM_DIMS,
    EMBEDDING_DIM,
    EXPERT_DIMS,
    LABELS,
    MODEL,
    N_EXPERTS,
    STEPS_PER_TURN,
    TOWER_DIMS,
    cardinalities,
    numbers,
)
from turns import take_turns

torch.set_num_threads(2)
in_dim = len(cardinalities()) * EMBEDDING_DIM + len(numbers())
n_tasks = len(LABELS)
layers = []  # (banks, inputs, outputs): one product, or one for each bank
if MODEL in {"mmoe", "ple"}:  # the PLE of this benchmark has one level and as many experts
    first, second = EXPERT_DIMS
    layers += [(1, in_dim, N_EXPERTS * first), (N_EXPERTS, first, second)]
    layers += [(1, in_dim, n_tasks * N_EXPERTS), (n_tasks, second, TOWER_DIMS[0])]
else:
    first, second = BOTTOM_DIMS
    layers += [(1, in_dim, first), (1, first, second), (1, second, n_tasks * TOWER_DIMS[0])]


def products(banks: int, inputs: int, outputs: int) -> list[tuple[torch.Tensor, ...]]:
    """Return factors and buffers of the three products of a layer."""
    x, w = torch.randn(banks, BATCH, inputs), torch.randn(banks, inputs, outputs)
    y = torch.randn(banks, BATCH, outputs)
    made = [
        (x, w, torch.empty_like(y)),
        (x.mT, y, torch.empty_like(w)),
        (y, w.mT, torch.empty_like(x)),
    ]
    return [tuple(t[0] for t in each) for each in made] if banks == 1 else made


work = [each for layer in layers for each in products(*layer)]


def step(at: int) -> None:
    """Multiply."""
    del at
    for a, b, out in work:
        (torch.mm if a.dim() == 2 else torch.bmm)(a, b, out=out)


take_turns(step, BATCH, STEPS_PER_TURN)

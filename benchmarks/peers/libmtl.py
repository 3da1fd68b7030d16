"""LibMTL's own road from losses to gradients, on a plain PyTorch network of our shape.

The network reads the inputs that our embedding tables make, as that for TorchJD does. The shared
encoder holds the experts and hands on its input, which gates read; a decoder is a gate and a tower.
"At the representation" is MGDA with `rep_grad=True`, "at the parameters" MGDA, both as released.
"""

import importlib
import itertools
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from paretorank.data.batch import Batch
from paretorank.model import MultiTaskRanker

RELEASE = "LibMTL==1.1.5"
EXPERT_DIMS, N_EXPERTS, TOWER_DIM = (256, 128), 8, 64
METHODS: dict[str, tuple[str, bool, dict[str, Any]]] = {
    "LibMTL: plain sum": ("EW", False, {}),
    "LibMTL: MGDA, representation": ("MGDA", True, {"mgda_gn": "none"}),
    "LibMTL: MGDA, parameters": ("MGDA", False, {"mgda_gn": "none"}),
    "LibMTL: GradNorm": ("GradNorm", False, {"alpha": 1.5}),
}
"""By row of the table: the class, whether gradients are taken at the representation, options."""


def load_libmtl(folder: Path) -> bool:
    """Make LibMTL importable from a folder of its own, installed if need be; say if it is there.

    Its image models, which nothing here uses, import a module that torchvision has given up; an
    empty one of that name lets the package be imported.
    """
    if not (folder / "LibMTL").exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        done = subprocess.run([*command, "--target", folder, RELEASE], check=False)  # noqa: S603
        if done.returncode:
            return False
    sys.path.append(str(folder))
    missing = ModuleType("torchvision.models.utils")
    vars(missing)["load_state_dict_from_url"] = None
    for name in ("torchvision", "torchvision.models"):
        sys.modules.setdefault(name, ModuleType(name))
    sys.modules.setdefault(missing.__name__, missing)
    importlib.import_module("LibMTL.weighting")
    return True


def libmtl_steps(
    model: MultiTaskRanker, batches: Sequence[Batch]
) -> dict[str, Callable[[int], object]]:
    """Return a step of each method; `load_libmtl` comes first."""
    with torch.no_grad():
        inputs = [model.bank.inputs(batch)[0] for batch in batches]
    rows = [(x, batch.labels) for x, batch in zip(inputs, batches, strict=True)]
    width, names = model.bank.out_dim, list(model.task_names)
    return {row: _step(method, rows, width, names) for row, method in METHODS.items()}


class _Encoder(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.experts = nn.ModuleList(
            nn.Sequential(
                *(
                    layer
                    for d, h in itertools.pairwise((width, *EXPERT_DIMS))
                    for layer in (nn.Linear(d, h), nn.ReLU())
                )
            )
            for _ in range(N_EXPERTS)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([*(expert(x) for expert in self.experts), x], dim=1)


class _Decoder(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate = nn.Linear(width, N_EXPERTS, bias=False)
        self.tower = nn.Sequential(
            nn.Linear(EXPERT_DIMS[-1], TOWER_DIM), nn.ReLU(), nn.Linear(TOWER_DIM, 1)
        )
        self.n_mixed = N_EXPERTS * EXPERT_DIMS[-1]

    def forward(self, shared: Tensor) -> Tensor:
        experts = shared[:, : self.n_mixed].unflatten(1, (N_EXPERTS, -1))
        weights = self.gate(shared[:, self.n_mixed :]).softmax(dim=1).unsqueeze(1)
        return self.tower((weights @ experts).squeeze(1)).squeeze(1)


def _step(
    method: tuple[str, bool, dict[str, Any]],
    rows: Sequence[tuple[Tensor, Tensor]],
    width: int,
    names: list[str],
) -> Callable[[int], object]:
    """Return what LibMTL's trainer does for one batch."""
    kind, at_representation, options = method
    architecture = importlib.import_module("LibMTL.architecture").HPS
    weighting = getattr(importlib.import_module("LibMTL.weighting"), kind)

    def keep_zeros(self: Any) -> None:  # PyTorch drops gradients by now, LibMTL writes into them
        self.encoder.zero_grad(set_to_none=False)

    whole = type(kind, (architecture, weighting), {"zero_grad_share_params": keep_zeros})
    decoders = nn.ModuleDict({name: _Decoder(width) for name in names})
    network = whole(
        names, lambda: _Encoder(width), decoders, at_representation, False, torch.device("cpu")
    )
    network.init_param()
    network.epoch, network.train_loss_buffer = 1, np.ones((len(names), 2))
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)

    def run(at: int) -> None:
        x, labels = rows[at % len(rows)]
        logits = network(x)
        losses = torch.zeros(len(names))
        for task, name in enumerate(names):
            losses[task] = binary_cross_entropy_with_logits(logits[name], labels[:, task])
        optimizer.zero_grad(set_to_none=False)
        network.backward(losses, **options)
        optimizer.step()

    return run

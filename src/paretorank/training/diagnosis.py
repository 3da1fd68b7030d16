"""A look at the gradients of single tasks while a model is trained, with any balancer or none.

The look has a forward pass of its own and leaves no gradient behind, so a run with looks ends in
the same weights as one without. It is taken before the step, of the plain losses; the weights that
are recorded beside it are those of the step.
Shapes: T tasks, P present tasks, N tensors of shared parameters.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from paretorank.data.batch import Batch
from paretorank.model import MultiTaskRanker
from paretorank.training.gradient_places import gradients_at
from paretorank.training.passes import Passes, buffers_kept, passes_of


@dataclass(frozen=True)
class Diagnosis:
    """Inner products of the gradients of all tasks; NaN where a task was absent."""

    tasks: tuple[str, ...]
    representation: Float[Tensor, "T T"]
    """At the last representations that tasks share."""
    by_tensor: Float[Tensor, "N T T"]
    """At each tensor of shared parameters."""
    tensors: tuple[str, ...]

    def facts(self, weights: Float[Tensor, " T"]) -> dict[str, Any]:
        """Return lengths, cosines and conflicts by name.

        Args:
            weights: of the step that follows; NaN for absent tasks.
        """
        tensors = zip(self.tensors, self.by_tensor.numpy(), strict=True)
        return {
            "task_weight": dict(zip(self.tasks, weights.tolist(), strict=True)),
            "representation": _angles(self.representation.numpy(), self.tasks),
            "parameters": _angles(self.by_tensor.sum(dim=0).numpy(), self.tasks),
            "conflicts": {name: _conflicts(gramian) for name, gramian in tensors},
        }


def diagnose(
    model: MultiTaskRanker, batch: Batch, *, micro_batch_size: int | None = None, seed: int = 0
) -> Diagnosis:
    """Take the gradients of all tasks; `grad` of no parameter is touched, and no buffer.

    Costs a forward pass, and a backward pass per task down to the shared parameters; twice the
    forward pass with micro-batches.

    Args:
        model: in training mode; its random parts move on.
        batch: the rows.
        micro_batch_size: most rows of one pass; None takes all at once.
        seed: of the random parts of each micro-batch.
    """
    with buffers_kept(model):
        passes = passes_of(
            model, batch, micro_batch_size=micro_batch_size, seed=seed, with_cut=True
        )
        return _diagnosed(passes)


def _diagnosed(passes: Passes) -> Diagnosis:
    model, tasks = passes.model, passes.tasks
    names = {id(p): name for name, p in model.named_parameters() if p.requires_grad}
    shared = [p for p in model.shared_parameters() if id(p) in names]
    representation = torch.zeros(0, 0)
    by_tensor = torch.zeros(len(shared), len(tasks), len(tasks))
    if len(tasks):
        representation = gradients_at("representation", passes, ()).gramian()
    if len(tasks) and shared:
        by_tensor = gradients_at("parameters", passes, shared).gramians()  # type: ignore[union-attr]
    return Diagnosis(
        model.task_names,
        _spread(representation, tasks, len(model.task_names)),
        _spread(by_tensor, tasks, len(model.task_names)),
        tuple(names[id(parameter)] for parameter in shared),
    )


def _spread(
    gramians: Float[Tensor, "*N P P"], tasks: Tensor, n_tasks: int
) -> Float[Tensor, "*N T T"]:
    """Return the Gramians of all tasks, NaN for those that are absent."""
    shape = (*gramians.shape[:-2], n_tasks, n_tasks)
    spread = torch.full(shape, torch.nan, dtype=torch.float64)
    places = tasks.cpu()
    spread[..., places.unsqueeze(1), places] = gramians.double().cpu()
    return spread


def _angles(gramian: np.ndarray, tasks: Sequence[str]) -> dict[str, Any]:
    """Return the length of each gradient, and the cosine of each to those of the others."""
    norms = np.sqrt(gramian.diagonal())
    with np.errstate(divide="ignore", invalid="ignore"):  # no angle to a gradient of zero
        cosines = gramian / np.outer(norms, norms)
    return {
        "norm": dict(zip(tasks, norms.tolist(), strict=True)),
        "cosine": {
            one: {
                other: float(cosines[i, j].clip(-1.0, 1.0))
                for j, other in enumerate(tasks)
                if j != i
            }
            for i, one in enumerate(tasks)
        },
        "conflicts": _conflicts(gramian),
    }


def _conflicts(gramian: np.ndarray) -> float:
    """Return the share of pairs of present tasks whose gradients have an obtuse angle."""
    pairs = gramian[np.triu_indices(len(gramian), k=1)]
    known = pairs[~np.isnan(pairs)]
    return float((known < 0).mean()) if len(known) else math.nan

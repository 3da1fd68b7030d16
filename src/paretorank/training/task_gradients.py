"""The gradients of single tasks, taken where a balancer wants them.

At the representation, one backward pass through the towers gives the gradients of all tasks, as
each task has a tower of its own: the loss of a task reaches an expert through the task's mixture,
so its gradient there is the outer product of mixing weight and gradient of the mixture, and inner
products never need it written out. Where relations tie towers together, or an architecture does
not say what it mixes, one backward pass per task is made down to the cut.
Source: Sener and Koltun, Multi-Task Learning as Multi-Objective Optimization, NeurIPS 2018,
    section 3.3 (MGDA-UB: gradients at the representation).
Shapes: B rows, T tasks, P present tasks, E experts, H width of a representation, N elements.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from paretorank.blocks.relu_stack import RowGradient, row_gradient
from paretorank.model.cut import Cut


@dataclass(frozen=True)
class MixedGradients:
    """Gradients at experts, as each task's mixing weights and gradient of its mixture."""

    of_mixture: Float[Tensor, "B P H"]
    mixing: Float[Tensor, "#B P E"]

    def row_gramians(self) -> Float[Tensor, "B P P"]:
        """Return the inner products of the gradients of every row."""
        weights = torch.bmm(self.mixing, self.mixing.mT)
        return weights * torch.bmm(self.of_mixture, self.of_mixture.mT)

    def gramian(self) -> Float[Tensor, "P P"]:
        """Return the inner products of the gradients, in float64."""
        if len(self.mixing) == 1:  # the same for all rows: one product
            flat = self.of_mixture.transpose(0, 1).flatten(1)
            weights = self.mixing[0].double() @ self.mixing[0].double().T
            return weights * (flat @ flat.T).double()
        return self.row_gramians().double().sum(dim=0)

    def jacobian(self) -> Float[Tensor, "P N"]:
        """Return the gradients of all tasks, written out."""
        whole = self.mixing.unsqueeze(3) * self.of_mixture.unsqueeze(2)  # [B, P, E, H]
        return whole.transpose(0, 1).flatten(1)


@dataclass(frozen=True)
class RowGradients:
    """The gradients of all tasks by the rows that the experts read, and where they belong."""

    place: RowGradient
    of_tasks: tuple[Tensor, ...]
    """[B, H] each."""

    def foretell(self, weights: Float[Tensor, " P"]) -> None:
        """Let the backward pass of the weighted sum of these losses find its gradient here.

        It then goes through the experts without a product. Nothing else may be added to the sum.
        """
        first, *others = weights.tolist()
        total = first * self.of_tasks[0]
        for weight, grad in zip(others, self.of_tasks[1:], strict=True):
            total.add_(grad, alpha=weight)
        self.place.will_be(total)


@dataclass(frozen=True)
class WrittenGradients:
    """Gradients at some tensors, written out."""

    by_tensor: tuple[Tensor, ...]
    """[P, ...] each."""
    rows: RowGradients | None = None
    """On the way to parameters these were computed too, if the graph has such a place."""

    def plus(self, other: "WrittenGradients") -> "WrittenGradients":
        """Return the sum of gradients at the same tensors, from different graphs."""
        pairs = zip(self.by_tensor, other.by_tensor, strict=True)
        return WrittenGradients(tuple(a + b for a, b in pairs))

    def row_gramians(self) -> Float[Tensor, "B P P"]:
        """Return the inner products of the gradients of every row of the only tensor."""
        (only,) = self.by_tensor
        rows = only.transpose(0, 1).flatten(2)
        return torch.bmm(rows, rows.mT)

    def gramians(self) -> Float[Tensor, "tensors P P"]:
        """Return the inner products at each tensor, in float64."""
        flat = [each.flatten(1) for each in self.by_tensor]
        return torch.stack([(each @ each.T).double() for each in flat])

    def gramian(self) -> Float[Tensor, "P P"]:
        """Return the inner products of the gradients, in float64."""
        return self.gramians().sum(dim=0)

    def jacobian(self) -> Float[Tensor, "P N"]:
        """Return the gradients of all tasks side by side."""
        return torch.cat([each.flatten(1) for each in self.by_tensor], dim=1)


def at_representation(
    losses: Float[Tensor, " T"], tasks: Int[Tensor, " P"], cut: Cut
) -> MixedGradients | WrittenGradients:
    """Return the gradients of the tasks at the last tensor that they share; the graph is kept.

    Args:
        losses: of all tasks, with their graph.
        tasks: the present ones.
        cut: of the same forward pass.
    """
    present = losses[tasks]
    if cut.mixing is not None and cut.is_separable:
        (grad,) = torch.autograd.grad(present.sum(), cut.h, retain_graph=True)
        return MixedGradients(grad.index_select(1, tasks), cut.mixing.detach()[:, tasks])
    if cut.experts is None or cut.mixing is None:
        return WrittenGradients((_one_by_one(present, cut.x),))
    of_mixtures = _one_by_one(present, cut.h)
    mixing = cut.mixing.detach().mT.to(of_mixtures.dtype)
    return WrittenGradients((torch.stack([mixing @ each for each in of_mixtures]),))


def at_parameters(
    losses: Float[Tensor, " T"],
    tasks: Int[Tensor, " P"],
    cut: Cut,
    parameters: Sequence[nn.Parameter],
) -> WrittenGradients:
    """Return the gradients of the tasks by shared parameters; the graph is kept.

    Args:
        losses: of all tasks, with their graph.
        tasks: the present ones.
        cut: of the same forward pass.
        parameters: the shared ones; a task that does not reach one has gradient 0 there.
    """
    outputs, seeds = _starts(losses[tasks], tasks, cut)
    place = None if cut.experts is None else row_gradient(cut.experts, parameters)
    edges = [] if place is None else [place.edge]
    passes = [
        torch.autograd.grad(
            outputs,
            [*parameters, *edges],  # type: ignore[arg-type] # it takes them side by side
            seed,
            retain_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )
        for seed in seeds
    ]
    by_tensor = list(zip(*passes, strict=True))
    rows = None if place is None else RowGradients(place, by_tensor.pop())
    return WrittenGradients(tuple(torch.stack(each) for each in by_tensor), rows)


def _starts(
    present: Float[Tensor, " P"], tasks: Int[Tensor, " P"], cut: Cut
) -> tuple[tuple[Tensor, ...], Iterator[tuple[Tensor, ...]]]:
    """Return where the passes of single tasks begin, and the gradients there, task after task.

    Where towers are separate, one pass through them serves all tasks. Where it is known what they
    read is mixed from, the passes begin below the mixture: its own backward pass would go through
    the mixtures of all tasks for each of them.
    """
    if not cut.is_separable:
        unit = torch.eye(len(tasks), dtype=present.dtype, device=present.device)
        return (present,), ((seed,) for seed in unit)
    (grad,) = torch.autograd.grad(present.sum(), cut.h, retain_graph=True)
    if cut.experts is None or cut.mixing is None:
        return (cut.h,), ((_only(grad[:, task], grad, task),) for task in tasks.tolist())
    experts, mixing = cut.experts, cut.mixing
    shares = mixing.detach().permute(1, 2, 0).unsqueeze(3)  # [T, E, #B, 1]
    at_experts = ((shares[task] * grad[:, task]).transpose(0, 1) for task in tasks.tolist())
    if not mixing.requires_grad:
        return (experts,), ((each,) for each in at_experts)
    by_weight = torch.bmm(grad, experts.detach().mT).sum_to_size(mixing.shape)
    at_mixing = (_only(by_weight[:, task], mixing, task) for task in tasks.tolist())
    return (experts, mixing), zip(at_experts, at_mixing, strict=True)


def _only(values: Float[Tensor, "B N"], like: Float[Tensor, "B T N"], task: int) -> Tensor:
    """Return a gradient that is 0 but for one task."""
    result = torch.zeros_like(like)
    result[:, task] = values
    return result


def _one_by_one(losses: Float[Tensor, " P"], tensor: Tensor) -> Float[Tensor, "P B *rest"]:
    grads = [torch.autograd.grad(loss, tensor, retain_graph=True)[0] for loss in losses]
    return torch.stack(grads)

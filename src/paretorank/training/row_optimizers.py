"""Optimizers that touch only the rows of a table that a batch has looked up.

Source (RowAdagrad): Duchi, Hazan, Singer, "Adaptive Subgradient Methods", JMLR 2011, with one
accumulator per row as in Naumov et al., "Deep Learning Recommendation Model", 2019; (RowAdam):
Kingma, Ba, "Adam", ICLR 2015, algorithm 1, with moments that stand still while a row is not looked
up, and the bias correction by the number of steps.

Shapes: N rows of a table, U touched rows, d width.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn


class RowAdagrad(torch.optim.Optimizer):
    """Adagrad with one accumulator per row."""

    def __init__(self, params: Iterable[nn.Parameter], *, lr: float, eps: float = 1e-8) -> None:
        super().__init__(params, {"lr": lr, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update the rows that the last backward pass reached."""
        del closure
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._update_(weight, group)

    def _update_(self, weight: nn.Parameter, group: dict[str, Any]) -> None:
        rows, grad = summed_rows(weight)
        state = self.state[weight]
        if not state:
            state["sum"] = weight.new_zeros(len(weight))
        total = state["sum"][rows] + grad.pow(2).mean(dim=1)
        state["sum"][rows] = total
        scale = 1.0 / (total.sqrt() + group["eps"])
        weight.index_add_(0, rows, grad * scale.unsqueeze(1), alpha=-group["lr"])


class RowAdam(torch.optim.Optimizer):
    """Adam whose moments of untouched rows stand still."""

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        *,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update the rows that the last backward pass reached."""
        del closure
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._update_(weight, group)

    def _update_(self, weight: nn.Parameter, group: dict[str, Any]) -> None:
        rows, grad = summed_rows(weight)
        state, width = self.state[weight], weight.shape[1]
        if not state:
            state["step"] = torch.zeros(())
            state["moments"] = weight.new_zeros(len(weight), 2 * width)
        state["step"] += 1
        step, (beta1, beta2) = int(state["step"]), group["betas"]
        # Both moments of a row lie side by side: one trip to memory for each row.
        moments = state["moments"].index_select(0, rows)
        mean, square = moments[:, :width], moments[:, width:]
        mean.lerp_(grad, 1 - beta1)
        square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        state["moments"].index_copy_(0, rows, moments)
        rate, root = group["lr"] / (1 - beta1**step), math.sqrt(1 - beta2**step)
        length = square.sqrt().div_(root).add_(group["eps"])
        moved = weight.index_select(0, rows).addcdiv_(mean, length, value=-rate)
        weight.index_copy_(0, rows, moved)


def summed_rows(weight: nn.Parameter) -> tuple[Int[Tensor, " U"], Float[Tensor, "U d"]]:
    """Return the touched rows, each once, and the sum of the gradients of each."""
    grad = weight.grad
    if grad is None or not grad.is_sparse:
        raise ValueError("`weight.grad` must be a sparse gradient, as an embedding gives it.")
    index, values = grad._indices()[0], grad._values()  # noqa: SLF001 - summed here, once
    if len(weight) <= torch.iinfo(torch.int32).max:
        index = index.int()  # sorts in half the time
    in_order, place = torch.sort(index, stable=True)
    rows, counts = torch.unique_consecutive(in_order, return_counts=True)
    # A bag sums the rows of one place after another in a fixed order, several times as fast as
    # adding them up in the order of the batch.
    total = F.embedding_bag(place, values, counts.cumsum(0) - counts, mode="sum")
    return rows.long(), total

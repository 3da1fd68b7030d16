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
        state = self.state[weight]
        if not state:
            state["step"] = torch.zeros(())
            state["exp_avg"] = torch.zeros_like(weight)
            state["exp_avg_sq"] = torch.zeros_like(weight)
        state["step"] += 1
        step, (beta1, beta2) = int(state["step"]), group["betas"]
        mean = state["exp_avg"][rows].lerp_(grad, 1 - beta1)
        square = state["exp_avg_sq"][rows].mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        state["exp_avg"][rows], state["exp_avg_sq"][rows] = mean, square
        rate, root = group["lr"] / (1 - beta1**step), math.sqrt(1 - beta2**step)
        weight.index_add_(0, rows, mean / (square.sqrt() / root + group["eps"]), alpha=-rate)


def summed_rows(weight: nn.Parameter) -> tuple[Int[Tensor, " U"], Float[Tensor, "U d"]]:
    """Return the touched rows, each once, and the sum of the gradients of each."""
    grad = weight.grad
    if grad is None or not grad.is_sparse:
        raise ValueError("`weight.grad` must be a sparse gradient, as an embedding gives it.")
    index, values = grad._indices()[0], grad._values()  # noqa: SLF001 - summed here, once
    rows, place = torch.unique(index, return_inverse=True)
    return rows, values.new_zeros(len(rows), values.shape[1]).index_add_(0, place, values)

"""AdamW for dense parameters, without PyTorch's compiler.

Source: Loshchilov, Hutter, Decoupled Weight Decay Regularization, ICLR 2019, algorithm 2.
The arithmetic is PyTorch's own fused kernel. `torch.optim.AdamW.step` imports the compiler, which
takes more than a second, to break a graph that nobody has begun; this step does not.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim.adam import adam

from paretorank.training.compiler import leave_compiler_out


class DenseAdam(torch.optim.AdamW):
    """Fused AdamW; what has no gradient is left alone, and only groups that say so decay."""

    def __init__(self, params: Any, *, lr: float) -> None:
        leave_compiler_out()
        super().__init__(params, lr=lr, weight_decay=0.0, fused=True)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Step every parameter that has a gradient."""
        del closure
        for group in self.param_groups:
            params: list[Tensor] = []
            grads: list[Tensor] = []
            means: list[Tensor] = []
            squares: list[Tensor] = []
            largest: list[Tensor] = []
            steps: list[Tensor] = []
            lists = (params, grads, means, squares, largest, steps)
            has_complex = self._init_group(group, *lists)  # type: ignore[no-untyped-call]
            beta1, beta2 = group["betas"]
            adam(
                params,
                grads,
                means,
                squares,
                largest,
                steps,
                has_complex=has_complex,
                fused=True,
                amsgrad=False,
                beta1=beta1,
                beta2=beta2,
                lr=group["lr"],
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                maximize=False,
                decoupled_weight_decay=True,
            )

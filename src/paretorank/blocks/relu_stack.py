"""ReLU layers of many experts with a backward pass derived by hand.

Autograd keeps a copy of every gradient in the layout of its own operator; here the gradient of the
first layer is written where its producer reads it, and masks are applied in place. Values and
gradients are those of `relu` and `baddbmm`.
Shapes: B rows, E experts, H width of a layer.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from paretorank.blocks.autocast import autocast_inputs


def relu_stack(
    h: Float[Tensor, "B _"],
    weights: Sequence[Float[Tensor, "E _ _"]],
    biases: Sequence[Float[Tensor, "E 1 _"]],
    n_experts: int,
) -> Float[Tensor, "E B _"]:
    """Return the last activations of every expert.

    Args:
        h: pre-activations of the first layers, expert by expert; overwritten, so they must be
            fresh and not be needed by the backward pass of what made them.
        weights: of the later layers.
        biases: of the later layers.
        n_experts: how many experts `h` holds.
    """
    h, *layers = autocast_inputs(h, *weights, *biases)
    result: Tensor = _ReluStack.apply(h, n_experts, *layers)  # type: ignore[no-untyped-call]
    return result


class _ReluStack(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, h: Tensor, n_experts: int, *layers: Tensor) -> Tensor:
        weights, biases = layers[: len(layers) // 2], layers[len(layers) // 2 :]
        first = h.detach().relu_()
        outputs = [_by_expert(first, n_experts)]
        for weight, bias in zip(weights, biases, strict=True):
            outputs.append(torch.baddbmm(bias, outputs[-1], weight).relu_())
        ctx.save_for_backward(*weights, *outputs)
        return outputs[-1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        n_layers = len(ctx.saved_tensors) // 2
        weights, outputs = ctx.saved_tensors[:n_layers], ctx.saved_tensors[n_layers:]
        of_weights, of_biases = [], []
        grad = torch.ops.aten.threshold_backward(grad, outputs[-1], 0.0)
        wants_rows = _wants_any(ctx.next_functions[:1])
        wants_layers = _wants_any(ctx.next_functions[1:])
        for weight, below in zip(reversed(weights), reversed(outputs[:-1]), strict=True):
            of_biases.append(grad.sum(dim=1, keepdim=True) if wants_layers else None)
            of_weights.append(torch.bmm(below.mT, grad) if wants_layers else None)
            if below is not outputs[0] or wants_rows:
                grad = _masked_product(grad, weight, below)
        # The gradient of the rows is a view where the last product wrote into rows.
        rows = grad.transpose(0, 1).flatten(1) if wants_rows else None
        return rows, None, *reversed(of_weights), *reversed(of_biases)


def _wants_any(producers: Sequence[tuple[Any, int]]) -> bool:
    """Return whether this backward pass goes on into any of the producers of the inputs.

    `needs_input_grad` does not know which gradients a pass was asked for, the engine does.
    """
    try:
        return any(
            torch._C._will_engine_execute_node(producer)  # noqa: SLF001 - there is no public one
            for producer, _ in producers
            if producer is not None
        )
    except RuntimeError:  # the engine refuses to say so of a leaf that was itself asked for
        return True


def _by_expert(h: Tensor, n_experts: int) -> Tensor:
    return h.view(len(h), n_experts, -1).transpose(0, 1)


def _masked_product(grad: Tensor, weight: Tensor, below: Tensor) -> Tensor:
    """Return the gradient of the activations below, in their own layout."""
    if below.is_contiguous():
        result = torch.bmm(grad, weight.mT)
    else:  # the first layer lies row by row: each expert's product goes straight into its columns
        n_experts, n_rows, width = below.shape
        rows = grad.new_empty(n_rows, n_experts * width)
        result = _by_expert(rows, n_experts)
        for expert in range(n_experts):
            torch.mm(grad[expert], weight[expert].t(), out=result[expert])
    torch.ops.aten.threshold_backward.grad_input(result, below, 0.0, grad_input=result)
    return result

"""ReLU layers of many experts with a backward pass derived by hand.

Autograd keeps a copy of every gradient in the layout of its own operator; here the gradient of the
first layer is written where its producer reads it, and masks are applied in place. Values and
gradients are those of `relu` and `baddbmm`. Where a gradient of the rows is known to be a sum of
others that were computed already, it can be handed over, and nothing is computed again.
Shapes: B rows, E experts, H width of a layer.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.autograd.graph import GradientEdge

from paretorank.blocks.autocast import autocast_inputs
from paretorank.blocks.engine import wants_any


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


class RowGradient:
    """The gradient by the rows that a stack reads: where to ask for it, and what it will be."""

    def __init__(self, node: Any) -> None:
        self._node = node
        self.edge = GradientEdge(*node.next_functions[0])
        """What `torch.autograd.grad` takes for an input."""

    def will_be(self, value: Float[Tensor, "B _"]) -> None:
        """Let coming backward passes that do not want the layers' gradients return a value."""
        self._node.known = value


def row_gradient(h: Tensor, parameters: Iterable[Tensor]) -> RowGradient | None:
    """Return where the gradient of the rows is in the graph of what a stack made.

    Args:
        h: the result of `relu_stack`, or a tensor that was made of it alone.
        parameters: the place is none unless rows were made of one of them, so that passes to them
            go through the stack.
    """
    node: Any = h.grad_fn
    kind: Any = _ReluStack._backward_cls  # noqa: SLF001 - what autograd makes of the class
    while node is not None and not isinstance(node, kind):
        node = node.next_functions[0][0] if len(node.next_functions) == 1 else None
    producer = None if node is None else node.next_functions[0][0]
    leaves = [] if producer is None else [each for each, _ in producer.next_functions]
    wanted = {id(parameter) for parameter in parameters}
    is_on_the_way = any(id(getattr(leaf, "variable", None)) in wanted for leaf in leaves)
    return RowGradient(node) if is_on_the_way else None


class _ReluStack(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, h: Tensor, n_experts: int, *layers: Tensor) -> Tensor:
        weights, biases = layers[: len(layers) // 2], layers[len(layers) // 2 :]
        first = h.detach().relu_()
        outputs = [_by_expert(first, n_experts)]
        for weight, bias in zip(weights, biases, strict=True):
            outputs.append(torch.baddbmm(bias, outputs[-1], weight).relu_())
        ctx.save_for_backward(*weights, *outputs)
        ctx.known = None
        return outputs[-1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        n_layers = len(ctx.saved_tensors) // 2
        weights, outputs = ctx.saved_tensors[:n_layers], ctx.saved_tensors[n_layers:]
        of_weights, of_biases = [], []
        wants_rows = wants_any(ctx.next_functions[:1])
        wants_layers = wants_any(ctx.next_functions[1:])
        if ctx.known is not None and not wants_layers:
            return ctx.known, *(None for _ in range(1 + 2 * len(weights)))
        grad = torch.ops.aten.threshold_backward(grad, outputs[-1], 0.0)
        for weight, below in zip(reversed(weights), reversed(outputs[:-1]), strict=True):
            of_biases.append(grad.sum(dim=1, keepdim=True) if wants_layers else None)
            of_weights.append(torch.bmm(below.mT, grad) if wants_layers else None)
            if below is not outputs[0] or wants_rows:
                grad = _masked_product(grad, weight, below)
        # The gradient of the rows is a view where the last product wrote into rows.
        rows = grad.transpose(0, 1).flatten(1) if wants_rows else None
        return rows, None, *reversed(of_weights), *reversed(of_biases)


def _by_expert(h: Tensor, n_experts: int) -> Tensor:
    return h.view(len(h), n_experts, -1).transpose(0, 1)


def _masked_product(grad: Tensor, weight: Tensor, below: Tensor) -> Tensor:
    """Return the gradient of the activations below, in their own layout."""
    if below.is_contiguous():
        result = torch.bmm(grad, weight.mT)
    else:  # the first layer lies row by row: each expert's product goes straight into its columns
        n_experts, n_rows, width = below.shape
        size, strides = (n_rows, n_experts * width), (below.stride(1), 1)
        rows = grad.new_empty_strided(size, strides)
        result = _by_expert(rows, n_experts)
        for expert in range(n_experts):
            torch.mm(grad[expert], weight[expert].t(), out=result[expert])
    torch.ops.aten.threshold_backward.grad_input(result, below, 0.0, grad_input=result)
    return result

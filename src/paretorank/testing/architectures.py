"""What every architecture promises.

Shapes: B rows, T tasks, D input width.
"""

import copy
from typing import Any

import torch
from torch import Tensor

from paretorank.architectures import Architecture
from paretorank.architectures.base import Needs
from paretorank.blocks import NO_EXTRAS, Extras, Rows
from paretorank.blocks.dropout import reseed_dropout
from paretorank.blocks.grouped_rows import GroupedRows, Groups
from paretorank.testing.contract import (
    parameter_gradients,
    require,
    require_close,
    require_no_global_random_numbers,
    require_shape,
    same_state,
)

N_ROWS = 12
_PRIOR_DIM = 2
_GROUP_OF_ROW = [0, 1, 1, 0, 2, 2, 2, 3, 1, 3, 0, 2]


def check_architecture(
    config: Any,
    *,
    in_dim: int = 6,
    n_tasks: int = 3,
    extras: Extras | None = None,
    **build: Any,
) -> None:
    """Check that a configuration builds a network by its seed alone, and check the network.

    Args:
        config: has `build(in_dim=..., n_tasks=..., generator=...)`.
        in_dim: width of the input of a row.
        n_tasks: tasks.
        extras: on `N_ROWS` rows; made up where absent, if the configuration's `needs` ask for any.
        **build: more arguments of `build`; `prior_dims` where `needs.prior` names features.

    Raises:
        ContractError: names the promise that is broken.
    """
    needs: Needs = getattr(config, "needs", Needs())
    if needs.prior:
        build.setdefault("prior_dims", (_PRIOR_DIM,) * len(needs.prior))
    if extras is None:
        extras = _made_up(needs, in_dim, n_tasks, sum(build.get("prior_dims", ())))

    def built(seed: int) -> Architecture:
        generator = torch.Generator().manual_seed(seed)
        network: Architecture = config.build(
            in_dim=in_dim, n_tasks=n_tasks, generator=generator, **build
        )
        return network

    require_no_global_random_numbers(lambda: built(0), "`build`")
    states = [built(seed).state_dict() for seed in (0, 0, 1)]
    require(same_state(states[0], states[1]), "One seed must always give the same network.")
    require(not same_state(states[0], states[2]), "Another seed must give another network.")
    check_network(built(0), in_dim=in_dim, n_tasks=n_tasks, extras=extras)


def check_network(
    network: Architecture, *, in_dim: int, n_tasks: int, extras: Extras = NO_EXTRAS
) -> None:
    """Check a network that is built already; it is not changed.

    Raises:
        ContractError: names the promise that is broken.
    """
    network = _nudged(copy.deepcopy(network).double().eval())
    x = _draw(N_ROWS, in_dim, seed=1)
    extras = _double(extras)
    _check_randomness(network, x, extras)
    _check_rows(network, x, extras, n_tasks)
    _check_gradients(network, x, extras)
    _check_shared_parameters(network, x, extras)
    _check_grouped_rows(network, x, extras)
    _check_gates(network, x, extras, n_tasks)
    _check_state(network, x, extras)


def _made_up(needs: Needs, in_dim: int, n_tasks: int, prior_dim: int) -> Extras:
    by_task = _draw(n_tasks, N_ROWS, in_dim, seed=7) if needs.own_tables else None
    return Extras(by_task, _draw(N_ROWS, prior_dim, seed=8) if needs.prior else None)


def _nudged(network: Architecture) -> Architecture:
    """Move all parameters a little: a map that starts at zero hides what lies before it."""
    with torch.no_grad():
        for at, parameter in enumerate(network.parameters()):
            parameter.add_(_draw(*parameter.shape, seed=10 + at), alpha=0.05)
    return network


def _check_rows(network: Architecture, x: Tensor, extras: Extras, n_tasks: int) -> None:
    h = network(x, extras)
    require_shape(h, (N_ROWS, n_tasks, network.out_dim), "The representation")
    require(h.isfinite().all(), "The representation must be finite.")
    first = _picked(extras, torch.tensor([0]))
    require_close(network(x[:1], first), h[:1], "A row alone must come out as among others.")
    order = torch.arange(N_ROWS).flip(0)
    moved = network(x[order], _picked(extras, order))
    require_close(moved, h[order], "The order of the rows must not matter.")


def _check_gradients(network: Architecture, x: Tensor, extras: Extras) -> None:
    _descend(network, x, extras)
    for name, parameter in network.named_parameters():
        reached = parameter.grad is not None and bool((parameter.grad != 0).any())
        require(reached, f"The losses must reach every parameter, but not {name}.")


def _check_shared_parameters(network: Architecture, x: Tensor, extras: Extras) -> None:
    shared = network.shared_parameters()
    require(len(shared) > 0, "`shared_parameters` must not be empty.")
    known = {id(parameter): name for name, parameter in network.named_parameters()}
    require(
        all(id(parameter) in known for parameter in shared),
        "`shared_parameters` must be parameters of the network.",
    )
    h = network(x, extras)
    target = _draw(N_ROWS, network.out_dim, seed=2)
    n_reaching = dict.fromkeys(known, 0)
    for task in range(h.shape[1]):
        total = (h[:, task] * target).sum()
        found = torch.autograd.grad(total, shared, retain_graph=True, allow_unused=True)
        for parameter, gradient in zip(shared, found, strict=True):
            n_reaching[id(parameter)] += gradient is not None and bool((gradient != 0).any())
    for parameter in shared:
        message = f"{known[id(parameter)]} is called shared, but less than two tasks reach it."
        require(n_reaching[id(parameter)] >= min(2, h.shape[1]), message)


def _check_grouped_rows(network: Architecture, x: Tensor, extras: Extras) -> None:
    """Check that rows whose shared columns stand once per group are rows like others."""
    grouped = _grouped(x.shape[1])
    whole = grouped.whole()
    results = []
    for rows in (whole, grouped):
        h = _descend(network, rows, extras)
        results.append((h, parameter_gradients(network)))
    (expected, gradients), (found, others) = results
    require_close(found, expected, "Grouped rows must give the values of the whole rows.")
    for name, gradient in gradients.items():
        message = f"Grouped rows must give the gradients of the whole rows, also to {name}."
        require(name in others, message)
        require_close(others[name], gradient, message)


def _check_gates(network: Architecture, x: Tensor, extras: Extras, n_tasks: int) -> None:
    gates = network.gate_weights(x, extras)
    if gates is None:
        return
    require_shape(gates, (N_ROWS, n_tasks, gates.shape[-1]), "`gate_weights`")
    require(not gates.requires_grad, "`gate_weights` must be without gradient.")
    total = gates.sum(dim=2)
    require_close(total, torch.ones_like(total), "The gates of a task must add up to one.")


def _check_randomness(network: Architecture, x: Tensor, extras: Extras) -> None:
    require_no_global_random_numbers(lambda: network(x, extras), "The network")
    again = network(x, extras)
    require(torch.equal(network(x, extras), again), "Evaluating must not be random.")
    network.train()
    results = []
    for _ in range(2):
        reseed_dropout(network, 5)
        results.append(network(x, extras))
    require(torch.equal(*results), "The same seed of dropout must give the same values.")
    require_no_global_random_numbers(lambda: network(x, extras), "Training")
    network.eval()


def _check_state(network: Architecture, x: Tensor, extras: Extras) -> None:
    other = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1.0)
    other.load_state_dict(network.state_dict())
    restored = torch.equal(other(x, extras), network(x, extras))
    require(restored, "`state_dict` must hold all that the values depend on.")


def _descend(network: Architecture, x: Rows, extras: Extras) -> Tensor:
    network.zero_grad()
    h: Tensor = network(x, extras)
    torch.autograd.backward((h * _draw(*h.shape, seed=3)).sum())
    return h.detach()


def _grouped(in_dim: int) -> GroupedRows:
    of_row = torch.tensor(_GROUP_OF_ROW)
    sizes = torch.bincount(of_row)
    groups = Groups(of_row, of_row.argsort(stable=True), sizes.cumsum(0) - sizes)
    n_own = max(1, in_dim // 2)
    columns = torch.randperm(in_dim, generator=torch.Generator().manual_seed(6))
    shared = _draw(len(sizes), in_dim - n_own, seed=5)
    return GroupedRows(_draw(N_ROWS, n_own, seed=4), shared, groups, columns)


def _picked(extras: Extras, rows: Tensor) -> Extras:
    by_task = None if extras.by_task is None else extras.by_task[:, rows]
    return Extras(by_task, None if extras.prior is None else extras.prior[rows])


def _double(extras: Extras) -> Extras:
    by_task = None if extras.by_task is None else extras.by_task.double()
    return Extras(by_task, None if extras.prior is None else extras.prior.double())


def _draw(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)

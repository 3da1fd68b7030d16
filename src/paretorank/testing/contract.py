"""How a broken promise is reported."""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn


class ContractError(ValueError):
    """A part does not do what all parts of its kind promise."""


def require(condition: bool | Tensor, message: str) -> None:
    """Raise a ContractError unless the condition holds."""
    if not bool(condition):
        raise ContractError(message)


def require_shape(value: Tensor, shape: tuple[int, ...], name: str) -> None:
    """Raise a ContractError unless the value has this shape."""
    got = tuple(value.shape)
    require(got == shape, f"{name} must have shape {shape}, got {got}.")


def require_close(
    found: Tensor, expected: Tensor, message: str, *, tolerance: float = 1e-9
) -> None:
    """Raise a ContractError unless both are equal up to rounding in double precision."""
    alike = found.shape == expected.shape and torch.allclose(
        found, expected, rtol=tolerance, atol=tolerance, equal_nan=True
    )
    require(alike, message)


def require_finite_gradients(named: Iterable[tuple[str, Tensor]], where: str) -> None:
    """Raise a ContractError if one of these has a gradient that is not finite."""
    for name, value in named:
        gradient = value.grad
        if gradient is not None:
            require(gradient.isfinite().all(), f"{where}: the gradient of {name} is not finite.")


def require_no_global_random_numbers(run: Callable[[], object], what: str) -> None:
    """Raise a ContractError if running it draws from the global generator."""
    before = torch.get_rng_state()
    run()
    untouched = torch.equal(torch.get_rng_state(), before)
    require(untouched, f"{what} must draw random numbers from a generator that is passed in.")


def same_state(one: Mapping[str, Tensor], two: Mapping[str, Tensor]) -> bool:
    """Return whether two states have the same names and equal values."""
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def parameter_gradients(module: nn.Module) -> dict[str, Tensor]:
    """Return copies of the gradients of all parameters that have one."""
    found = module.named_parameters()
    return {name: p.grad.clone() for name, p in found if p.grad is not None}

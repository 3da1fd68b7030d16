"""Solvers that are given well-scaled inner products, and replaced where they fail.

What a solver gets is on the CPU, in float64, and divided by the mean squared length of the
gradients. Gradients whose directions differ by less than rounding can tell are made equal.
Weights are refused that are not finite, or that multiply a gradient to more than `LARGEST` mean
lengths; equal weights stand in for them, no state changes, and `n_failures` counts the step.
Shapes: T tasks, P present tasks.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from typing_extensions import override

from paretorank.balancing.gradient_balancer import GramianBalancer, Place, SeenGradients
from paretorank.balancing.random_weights import LARGEST_SEED
from paretorank.balancing.repeatable_draws import repeatable_draws
from paretorank.foundation.seeds import derive_seed

LARGEST = 1e4  # a gradient that must be stretched further has no say in a stable step
SAME_DIRECTION = 1e-6  # of eigenvalues of unit gradients, whose products are taken in float32

SOLVER_ERRORS: tuple[type[Exception], ...] = (ArithmeticError, RuntimeError, TypeError, ValueError)
"""What numerical code raises; a solver of cvxpy that gives up leaves None, hence TypeError."""
with suppress(ImportError):
    from cvxpy.error import SolverError

    SOLVER_ERRORS = (*SOLVER_ERRORS, SolverError)


@dataclass(frozen=True)
class ScaledGramian:
    """What a solver is given."""

    gramian: Float[Tensor, "P P"]
    """The mean of its diagonal is 1."""
    mean_square: float
    """The mean squared length of the gradients themselves."""
    tasks: Int[Tensor, " P"]


@dataclass(frozen=True)
class Guard:
    """What is peculiar to a method."""

    adds_up: bool = False
    """Whether weights are about 1 each where nothing conflicts, rather than 1 / P."""
    leaves_out_zeros: bool = False
    """Whether tasks without any gradient are left out, and get an equal weight."""
    refuses_zeros: bool = False
    """Whether weights that are all 0 say that there is no solution."""
    draws: bool = False
    """Whether the global generators are drawn from."""
    power: float = 0.0
    """Of the mean squared length, by which weights are multiplied in the end."""


class GuardedBalancer(GramianBalancer, ABC):
    """A method that solves for its weights; equal weights where it cannot."""

    n_failures: Tensor
    n_calls: Tensor
    seed: Tensor

    def __init__(
        self,
        task_names: Sequence[str],
        *,
        at: Place = "representation",
        every_steps: int = 1,
        guard: Guard | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(task_names, at=at, every_steps=every_steps)
        self.guard = guard or Guard()
        if self.guard.adds_up:
            self.first_weight = 1.0
        self.register_buffer("n_failures", torch.tensor(0))
        self.register_buffer("n_calls", torch.tensor(0))
        self.register_buffer("seed", torch.tensor(seed))

    @override
    @torch.no_grad()
    def weigh(self, seen: SeenGradients) -> Float[Tensor, " P"]:
        squares = seen.gramian.diagonal()
        has_gradient = squares > 0
        equal = (
            torch.ones_like(squares)
            if self.guard.adds_up
            else torch.ones_like(squares).div(len(squares))
        )
        if not bool(has_gradient.any()):
            return equal
        shown = has_gradient if self.guard.leaves_out_zeros else torch.ones_like(has_gradient)
        problem = _scaled(seen.gramian[shown][:, shown], seen.tasks[shown])
        found = self._solved(problem)
        if found is None:
            self.n_failures += 1
            return equal
        equal[shown] = found.to(equal) * problem.mean_square**self.guard.power
        return equal

    @abstractmethod
    def solve(self, problem: ScaledGramian) -> Float[Tensor, " P"]:
        """Return the weights of the shown tasks, of which at least one has a gradient.

        State may be changed: it is put back where the weights are refused.
        """

    def _solved(self, problem: ScaledGramian) -> Float[Tensor, " P"] | None:
        self.n_calls += 1
        before = {name: buffer.clone() for name, buffer in self.named_buffers()}
        seed = derive_seed(int(self.seed), "balancer", int(self.n_calls))
        draws = repeatable_draws(seed, problem.gramian.device)
        try:
            with draws if self.guard.draws else nullcontext():
                weights = self.solve(problem)
        except SOLVER_ERRORS:
            weights = torch.full_like(problem.gramian[0], torch.nan)
        stretched = weights.abs() * problem.gramian.diagonal().sqrt()
        is_missing = self.guard.refuses_zeros and not bool(weights.any())
        if not is_missing and bool((weights.isfinite() & (stretched <= LARGEST)).all()):
            return weights
        for name, buffer in self.named_buffers():
            buffer.copy_(before[name])
        return None


def new_seed(generator: torch.Generator) -> int:
    """Return a seed for a balancer that draws random numbers."""
    return int(torch.randint(LARGEST_SEED, (), generator=generator))


def _scaled(gramian: Float[Tensor, "P P"], tasks: Int[Tensor, " P"]) -> ScaledGramian:
    whole = gramian.cpu().double()
    mean_square = float(whole.diagonal().mean())
    lengths = (whole.diagonal() / mean_square).sqrt()
    divisors = torch.where(lengths > 0, lengths, 1.0)
    cosines = whole / mean_square / divisors.outer(divisors)
    values, vectors = torch.linalg.eigh(cosines)
    kept = values > SAME_DIRECTION * values[-1]
    if not bool(kept.all()):
        cosines = (vectors[:, kept] * values[kept]) @ vectors[:, kept].T
    return ScaledGramian(cosines * lengths.outer(lengths), mean_square, tasks.cpu())

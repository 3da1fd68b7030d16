"""Gradients of tasks, as balancers are shown them in tests."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from paretorank.balancing import GramianBalancer, JacobianBalancer, SeenGradients
from paretorank.balancing.gradient_balancer import GradientSection

VALUES: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "values" / "aggregators.json").read_text()
)
CASES: list[dict[str, Any]] = VALUES["cases"]
NAMES = ("a", "b", "c", "d", "e")


def double(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def draw(n_tasks: int, *, seed: int = 0, n_elements: int = 12) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_tasks, n_elements, generator=generator, dtype=torch.float64)


def seen(jacobian: Tensor, *, tasks: list[int] | None = None) -> SeenGradients:
    at = torch.tensor(range(len(jacobian)) if tasks is None else tasks)
    return SeenGradients(jacobian @ jacobian.T, torch.ones(len(jacobian)).double(), at)


def build(config: GradientSection, n_tasks: int, *, seed: int = 0) -> Any:
    balancer = config.build(
        task_names=NAMES[:n_tasks],
        balance_factors=torch.ones(n_tasks),
        generator=torch.Generator().manual_seed(seed),
    )
    assert isinstance(balancer, GramianBalancer | JacobianBalancer)
    return balancer.double()


def weights_of(config: GradientSection, jacobian: Tensor) -> Tensor:
    """Return the weights of a new balancer; all tasks are present, none failed."""
    balancer = build(config, len(jacobian))
    weights: Tensor = balancer.weigh(seen(jacobian))
    assert int(balancer.n_failures) == 0
    return weights


def assert_close(found: Tensor, expected: Any, tolerance: float = 1e-6) -> None:
    wanted = expected if isinstance(expected, Tensor) else double(expected)
    torch.testing.assert_close(found, wanted, rtol=tolerance, atol=tolerance)

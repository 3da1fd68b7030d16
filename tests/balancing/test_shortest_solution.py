"""Small linear systems of any rank."""

import torch
from torch import Tensor

from paretorank.balancing.shortest_solution import shortest_solution


def solved(system: list[list[float]], right: list[float]) -> Tensor:
    return shortest_solution(
        torch.tensor(system), torch.tensor(right).unsqueeze(1), cut_off=1e-9
    ).flatten()


def test_a_regular_system_has_its_solution() -> None:
    found = solved([[2.0, 0.0], [1.0, 1.0]], [4.0, 5.0])
    torch.testing.assert_close(found, torch.tensor([2.0, 3.0], dtype=torch.float64))


def test_of_many_solutions_the_shortest_is_found() -> None:
    found = solved([[1.0, 1.0], [1.0, 1.0]], [2.0, 2.0])
    torch.testing.assert_close(found, torch.tensor([1.0, 1.0], dtype=torch.float64))


def test_without_a_solution_the_nearest_is_found() -> None:
    found = solved([[1.0, 0.0], [0.0, 0.0]], [3.0, 1.0])
    torch.testing.assert_close(found, torch.tensor([3.0, 0.0], dtype=torch.float64))


def test_singular_values_below_the_cut_off_are_zero() -> None:
    system, right = torch.diag(torch.tensor([1.0, 1e-3])), torch.ones(2, 1)
    assert float(shortest_solution(system, right, cut_off=1e-2)[1]) == 0.0
    assert float(shortest_solution(system, right, cut_off=1e-4)[1]) > 999.0


def test_many_systems_are_solved_at_once() -> None:
    systems = torch.eye(2).expand(3, 2, 2) * torch.tensor([1.0, 2.0, 4.0])[:, None, None]
    found = shortest_solution(systems, torch.ones(3, 2, 1), cut_off=1e-9)
    assert found[:, 0, 0].tolist() == [1.0, 0.5, 0.25]

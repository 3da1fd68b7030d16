"""The shortest least-squares solution of a small linear system.

Shapes: K equations and unknowns, R right-hand sides.
"""

import torch
from jaxtyping import Float, Float64
from torch import Tensor


def shortest_solution(
    system: Float[Tensor, "*batch K K"], right: Float[Tensor, "*batch K R"], *, cut_off: float
) -> Float64[Tensor, "*batch K R"]:
    """Return the solution of least length, whatever the rank of the system.

    It is found on the CPU, which alone has the solver, and handed back where the system is.

    Args:
        system: square matrices.
        right: what their products with the solution should be.
        cut_off: singular values below it, relative to the largest, count as 0.
    """
    on_cpu = system.detach().cpu().double(), right.detach().cpu().double()
    found = torch.linalg.lstsq(*on_cpu, rcond=cut_off, driver="gelsd")
    return found.solution.to(system.device)

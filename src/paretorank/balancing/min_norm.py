"""Min-norm weights (MGDA): the shortest mix of the tasks' gradients, exactly.

Source: Désidéri, Multiple-gradient descent algorithm, Comptes Rendus Mathematique 350, 2012;
    Sener, Koltun, Multi-Task Learning as Multi-Objective Optimization, NeurIPS 2018, equation 3:
    minimize w^T M w over w >= 0 with sum w = 1, where M is the Gramian of the gradients.
We deviate: no Frank-Wolfe. Two tasks have a closed form. Up to eight, all supports are tried: each
gives one linear system, and the points of the simplex that meet the optimality conditions are
averaged, so that tasks that cannot be told apart get the same weight. More tasks are a problem of
non-negative least squares. NumPy does the small steps: it starts an operation five times faster.
Shapes: T tasks, N Gramians, S supports.
"""

from functools import cache

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from scipy.optimize import nnls
from torch import Tensor

MOST_ENUMERATED = 8  # tasks whose 2^T - 1 supports are tried; beyond, least squares is faster
SYSTEMS_AT_ONCE = 2**16  # bounds memory when there is one Gramian per user
SMALLEST_PIVOT = 1e-13  # of a scaled system; below, the support's gradients depend on each other
OPTIMAL = 1e-11  # relative violation of the optimality conditions that is rounding
SAME = 1e-12  # relative difference between two rows of a Gramian that is rounding
TINY = np.finfo(np.float64).tiny  # squares below it have lost their digits


def min_norm_weights(gramian: Float[Tensor, "*batch T T"]) -> Float64[Tensor, "*batch T"]:
    """Return w of the simplex with the least w^T M w for every Gramian M.

    The gradients may depend on each other, be equal, zero, or of very different lengths. Where the
    solution is not unique, equal gradients get equal weights.

    Raises:
        ValueError: There is no task, or a Gramian is not finite.
    """
    n_tasks = gramian.shape[-1]
    if n_tasks == 0:
        raise ValueError("`gramian` must hold at least one task.")
    flat = gramian.detach().double().cpu().numpy().reshape(-1, n_tasks, n_tasks)
    if not np.isfinite(flat).all():
        raise ValueError("`gramian` must be finite.")
    weights = _of_two(flat) if n_tasks == 2 else _of_many(flat)  # noqa: PLR2004  # closed form
    return torch.from_numpy(weights).reshape(gramian.shape[:-1]).to(gramian.device)


def _of_two(gramian: Float64[np.ndarray, "N 2 2"]) -> Float64[np.ndarray, "N 2"]:
    """Weigh by how much longer the other gradient is than its share along this one."""
    squares = np.diagonal(gramian, axis1=-2, axis2=-1)
    excess = np.maximum(squares - gramian[:, 0, 1, None], 0.0)
    total = excess.sum(axis=-1, keepdims=True)
    return np.where(total > 0, excess[:, ::-1] / np.where(total > 0, total, 1.0), 0.5)


def _of_many(gramian: Float64[np.ndarray, "N T T"]) -> Float64[np.ndarray, "N T"]:
    """Put all weight on zero gradients, if any; solve with cosines and lengths otherwise."""
    squares = np.diagonal(gramian, axis1=-2, axis2=-1)
    zero = squares < TINY
    lengths = np.sqrt(np.where(zero, 1.0, squares))
    cosines = gramian / (lengths[:, :, None] * lengths[:, None])
    n_tasks = gramian.shape[-1]
    if n_tasks > MOST_ENUMERATED:
        weights = _by_least_squares(cosines, lengths)
    else:
        n_at_once = SYSTEMS_AT_ONCE // 2**n_tasks
        weights = np.empty_like(lengths)
        for start in range(0, len(gramian), n_at_once):
            part = slice(start, start + n_at_once)
            weights[part] = _by_supports(cosines[part], lengths[part])
    if zero.any():
        has_zero = zero.any(axis=-1)
        weights[has_zero] = zero[has_zero] / zero[has_zero].sum(axis=-1, keepdims=True)
    return weights


def _by_supports(
    cosines: Float64[np.ndarray, "N T T"], lengths: Float64[np.ndarray, "N T"]
) -> Float64[np.ndarray, "N T"]:
    """Return the mean of all solutions whose gradients do not depend on each other."""
    points, is_regular = _stationary_points(cosines, lengths)
    violations = np.where(is_regular, _violations(points, cosines, lengths), np.inf)
    least = violations.min(axis=-1, keepdims=True)
    is_solution = (violations <= np.maximum(least, OPTIMAL)).astype(np.float64)
    return (is_solution[:, None] @ points)[:, 0] / is_solution.sum(axis=-1, keepdims=True)


@cache
def _supports(n_tasks: int) -> Float64[np.ndarray, "S T"]:
    numbers = np.arange(1, 2**n_tasks)
    return ((numbers[:, None] >> np.arange(n_tasks)) % 2).astype(np.float64)


def _stationary_points(
    cosines: Float64[np.ndarray, "N T T"], lengths: Float64[np.ndarray, "N T"]
) -> tuple[Float64[np.ndarray, "N S T"], Bool[np.ndarray, "N S"]]:
    """Return per support the shortest affine mix, moved into the simplex, and if it is unique.

    Each is found in u = w * length from [[C, b], [b^T, 0]] (u, -m) = (0, 1), b = 1 / length;
    tasks outside of the support keep a row of the identity.
    """
    (n, n_tasks), supports = lengths.shape, _supports(lengths.shape[-1])
    border = supports / lengths[:, None]
    border /= border.max(axis=-1, keepdims=True)
    systems = np.zeros((n, len(supports), n_tasks + 1, n_tasks + 1))
    systems[..., :-1, :-1] = cosines[:, None] * (supports[:, :, None] * supports[:, None])
    every = np.arange(n_tasks)
    systems[..., every, every] = 1.0
    systems[..., :-1, -1] = systems[..., -1, :-1] = border
    factors, pivots, _ = torch.linalg.lu_factor_ex(torch.from_numpy(systems))
    smallest = np.abs(np.diagonal(factors.numpy(), axis1=-2, axis2=-1)).min(axis=-1)
    is_regular = smallest > SMALLEST_PIVOT
    factors[torch.from_numpy(~is_regular)] = torch.eye(n_tasks + 1, dtype=torch.float64)
    right = torch.zeros(n, len(supports), n_tasks + 1, 1, dtype=torch.float64)
    right[..., -1, :] = 1.0
    solved = torch.linalg.lu_solve(factors, pivots, right).numpy()
    points = np.maximum(solved[..., :-1, 0] * border, 0.0)
    total = points.sum(axis=-1)
    is_regular &= total > 0
    return points / np.where(is_regular, total, 1.0)[..., None], is_regular


def _violations(
    points: Float64[np.ndarray, "N S T"],
    cosines: Float64[np.ndarray, "N T T"],
    lengths: Float64[np.ndarray, "N T"],
) -> Float64[np.ndarray, "N S"]:
    """Return how far (M w)_k lies below w^T M w at most, relative to the terms they sum up."""
    scaled = points * lengths[:, None]
    products = (scaled @ cosines) * lengths[:, None]
    magnitudes = (scaled @ np.abs(cosines)) * lengths[:, None]
    square = (points * products).sum(axis=-1, keepdims=True)
    terms = magnitudes + (points * magnitudes).sum(axis=-1, keepdims=True)
    return ((square - products) / np.maximum(terms, TINY)).max(axis=-1)


def _by_least_squares(
    cosines: Float64[np.ndarray, "N T T"], lengths: Float64[np.ndarray, "N T"]
) -> Float64[np.ndarray, "N T"]:
    """Minimize |R u|^2 + (b u - 1)^2 over u >= 0 with C = R^T R; w points along b u."""
    border = lengths.min(axis=-1, keepdims=True) / lengths
    squares, vectors = np.linalg.eigh(cosines)
    roots = np.sqrt(np.maximum(squares, 0.0))[..., None] * vectors.mT
    rows = np.concatenate([roots, border[:, None]], axis=1)
    wanted = np.eye(rows.shape[1])[-1]
    found = np.array([nnls(each, wanted)[0] for each in rows]).reshape(border.shape) * border
    is_same = np.abs(cosines[:, :, None] - cosines[:, None]).max(axis=-1) <= SAME
    is_same &= np.abs(lengths[:, :, None] / lengths[:, None] - 1.0) <= SAME
    shared = ((is_same / is_same.sum(axis=-1, keepdims=True)) @ found[..., None])[..., 0]
    return shared / shared.sum(axis=-1, keepdims=True)

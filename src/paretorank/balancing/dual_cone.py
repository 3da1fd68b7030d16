"""The projection onto directions that hurt no task, exact and without further packages.

Source: Quinton and Rey, Jacobian Descent for Multi-Objective Optimization, arXiv 2406.16232,
    proposition 1: the projection of J^T u is J^T v, v = argmin v^T G v subject to v >= u.
With v = u + z and G = R R^T this is the non-negative least squares problem
min |R^T z + R^T u|^2, z >= 0, solved by Lawson and Hanson's active sets. Gradients are made unit
vectors before, so that short ones count as much as long ones; TorchJD's own projector adds 1e-4 to
the diagonal of G instead.
Shapes: P present tasks, U vectors to project.
"""

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import nnls
from torch import Tensor
from torchjd.linalg import DualConeProjector
from typing_extensions import override

RANK_CUTOFF = 1e-14  # of eigenvalues of unit gradients: what float64 leaves of zero


class ExactProjector(DualConeProjector):  # type: ignore[misc]  # TorchJD is not type-checked
    """Finds the weights of the projections by active sets."""

    @override
    def __call__(self, U: Float[Tensor, "*U P"], G: Float[Tensor, "P P"]) -> Float[Tensor, "*U P"]:
        """Return the weights of the projection of each vector of weights.

        Raises:
            RuntimeError: the active sets go round in circles.
        """
        lengths = G.diagonal().sqrt()
        lengths = torch.where(lengths > 0, lengths, 1.0)
        root = _root(G / lengths.outer(lengths))
        scaled = (U * lengths).reshape(-1, len(G))
        added = [torch.from_numpy(nnls(root, -root @ u)[0]) for u in scaled.cpu().double().numpy()]
        return U + (torch.stack(added).to(G) / lengths).view_as(U)


def _root(gramian: Float[Tensor, "P P"]) -> np.ndarray:
    """Return R^T with R R^T = G; at least one row."""
    values, vectors = torch.linalg.eigh(gramian.cpu().double())
    values = torch.where(values > RANK_CUTOFF * values[-1], values, 0.0)
    root: np.ndarray = (vectors * values.sqrt()).T.numpy()
    return root

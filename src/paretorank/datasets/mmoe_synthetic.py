"""Two regression tasks with a dialled correlation.

Source: Ma et al., "Modeling Task Relationships in Multi-task Learning with Multi-gate
Mixture-of-Experts", KDD 2018, section 3.2. The paper does not publish the phases, the
frequencies or the scale; `alpha`, `beta` and `c` are our own fixed instance. The paper's noise
N(0, 0.01) is a variance, so its standard deviation is 0.1.

With labels that are linear in x the correlation of the labels is p·c² / (c² + noise variance);
with the sines it is a monotone function of p that is not odd.

Shapes: N rows, D input width.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from jaxtyping import Float
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from paretorank.foundation.section import Section
from paretorank.foundation.seeds import named_generator


class MMoESyntheticConfig(Section):
    """What fixes the two tasks and their rows."""

    n_rows: PositiveInt = 10_000
    """Rows to draw."""
    dim: Annotated[int, Field(ge=2)] = 100
    """Width of the input; 100 in the paper."""
    correlation: Annotated[float, Field(ge=-1, le=1)] = 0.5
    """Cosine of the weight vectors of the two tasks; the paper's p."""
    c: PositiveFloat = 1.0
    """Length of both weight vectors."""
    alpha: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0)
    """Frequencies of the sines."""
    beta: tuple[float, ...] = (0.3, -0.7, 1.1, 0.5)
    """Phases of the sines, one per frequency."""
    noise_std: NonNegativeFloat = 0.1
    """Standard deviation of the label noise."""
    seed: int = 0
    """Seed of the weights, the rows and the noise."""


@dataclass(frozen=True)
class MMoESyntheticData:
    """Rows, their two labels, and the weight vectors behind them."""

    x: Float[np.ndarray, "N D"]
    y: Float[np.ndarray, "N 2"]
    w: Float[np.ndarray, "2 D"]


def simulate_mmoe_synthetic(config: MMoESyntheticConfig) -> MMoESyntheticData:
    """Draw two orthonormal directions, mix them into two tasks, and draw the rows.

    Raises:
        ValueError: `alpha` and `beta` differ in length.
    """
    if len(config.alpha) != len(config.beta):
        raise ValueError(
            f"`alpha` and `beta` must be equally long, got {len(config.alpha)}"
            f" and {len(config.beta)}"
        )
    generator = named_generator(config.seed, "mmoe_synthetic")
    w = _task_weights(config, generator)
    x = generator.standard_normal((config.n_rows, config.dim))
    linear = x @ w.T
    y = linear + config.noise_std * generator.standard_normal(linear.shape)
    for frequency, phase in zip(config.alpha, config.beta, strict=True):
        y += np.sin(frequency * linear + phase)
    return MMoESyntheticData(x=x, y=y, w=w)


def _task_weights(
    config: MMoESyntheticConfig, generator: np.random.Generator
) -> Float[np.ndarray, "2 D"]:
    """Return two vectors of length c whose cosine is the correlation."""
    first, second = np.linalg.qr(generator.standard_normal((config.dim, 2)))[0].T
    p = config.correlation
    return config.c * np.stack([first, p * first + np.sqrt(1 - p * p) * second])

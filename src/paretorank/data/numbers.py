"""Numbers as the model wants them; missing stays NaN.

piecewise_linear, Source: Gorishniy, Rubachev, Babenko, "On Embeddings for Numerical Features in
Tabular Deep Learning", NeurIPS 2022, eq. 1. Stored as one number, the position among the bins; the
model unfolds it. Deviation: outside the outer edges the encoding is constant, not linear, so that
an outlier at serving cannot explode.
"""

from typing import Literal

import numpy as np
from jaxtyping import Float, Float32
from scipy.special import ndtri

from paretorank.foundation.section import Section
from paretorank.schema import NumericFeature

_QUANTILE_KNOTS = 101
_MAX_SCORE = 3.0
_MIN_STD = 1e-6
_LARGEST_INPUT = 1e150  # squares and differences of larger numbers overflow
_LARGEST_OUTPUT = 1e30  # float32 ends at 3e38, and a layer has yet to multiply


class FittedNumber(Section):
    """How one number is transformed: by a line, or by interpolation between knots."""

    shape: Literal["line", "log_line", "knots"]
    """line: (x - knots[0]) / values[0]; log_line: the same of sign(x) log(1 + |x|)."""
    knots: tuple[float, ...]
    """Places on the input axis; for lines the mean."""
    values: tuple[float, ...]
    """Values at the knots; for lines the standard deviation."""
    n_bins: int = 0
    """Bins into which the model unfolds the number; 0 keeps it as one input."""

    def transform(self, x: Float[np.ndarray, " N"]) -> Float32[np.ndarray, " N"]:
        """Return the encoded numbers; NaN and infinite numbers become NaN."""
        x = np.where(np.isfinite(x), x, np.nan).clip(-_LARGEST_INPUT, _LARGEST_INPUT)
        if self.shape == "knots":
            places = np.interp(x, self.knots, self.values)
            return np.where(np.isnan(x), np.nan, places).astype(np.float32)  # also for one knot
        if self.shape == "log_line":
            x = np.sign(x) * np.log1p(np.abs(x))
        line = (x - self.knots[0]) / self.values[0]
        return line.clip(-_LARGEST_OUTPUT, _LARGEST_OUTPUT).astype(np.float32)


def fit_number(config: NumericFeature, sample: Float[np.ndarray, " N"]) -> FittedNumber:
    """Fit on a sample of training rows; a column without any number becomes constant."""
    sample = sample[np.isfinite(sample)].clip(-_LARGEST_INPUT, _LARGEST_INPUT)
    if not len(sample):
        sample = np.zeros(1)
    match config.encoding:
        case "none":
            return FittedNumber(shape="line", knots=(0.0,), values=(1.0,))
        case "standard":
            return fit_line(sample)
        case "log":
            line = fit_line(np.sign(sample) * np.log1p(np.abs(sample)))
            return FittedNumber(shape="log_line", knots=line.knots, values=line.values)
        case "quantile":
            return _fit_quantile(sample)
        case "piecewise_linear":
            return _fit_piecewise_linear(sample, config.n_bins)


def fit_line(sample: Float[np.ndarray, " N"]) -> FittedNumber:
    """Fit mean and standard deviation; a constant column is only shifted."""
    std = float(sample.std())
    return FittedNumber(
        shape="line",
        knots=(float(sample.mean()),),
        values=(std if std > _MIN_STD else 1.0,),
    )


def _fit_quantile(sample: np.ndarray) -> FittedNumber:
    levels = np.linspace(0, 1, _QUANTILE_KNOTS)
    places = np.quantile(sample, levels)
    knots, first, counts = np.unique(places, return_index=True, return_counts=True)
    middle = levels[first] + (counts - 1) / 2 / (_QUANTILE_KNOTS - 1)
    scores = np.clip(ndtri(middle), -_MAX_SCORE, _MAX_SCORE)
    return FittedNumber(shape="knots", knots=tuple(knots.tolist()), values=tuple(scores.tolist()))


def _fit_piecewise_linear(sample: np.ndarray, n_bins: int) -> FittedNumber:
    edges = np.unique(np.quantile(sample, np.linspace(0, 1, n_bins + 1)))
    if len(edges) == 1:
        edges = np.array([edges[0], edges[0] + 1.0])
    return FittedNumber(
        shape="knots",
        knots=tuple(edges.tolist()),
        values=tuple(float(i) for i in range(len(edges))),
        n_bins=len(edges) - 1,
    )

"""The MMoE paper's data: exact cosines, and label correlations computed elsewhere."""

import numpy as np
import pytest

from paretorank.datasets.mmoe_synthetic import MMoESyntheticConfig, simulate_mmoe_synthetic

LABEL_PEARSON = {
    -1.0: -0.87044724808,
    -0.5: -0.402074458665,
    0.0: -0.000435506051195,
    0.5: 0.416667438262,
    0.9: 0.85248497038,
    1.0: 0.998564456414,
}
"""Means over 100 draws of 10,000 rows by an independent program."""


@pytest.mark.parametrize("correlation", LABEL_PEARSON)
def test_cosine_of_the_weights_is_the_correlation(correlation: float) -> None:
    config = MMoESyntheticConfig(n_rows=1, correlation=correlation, c=2.0)
    first, second = simulate_mmoe_synthetic(config).w
    np.testing.assert_allclose(np.linalg.norm([first, second], axis=1), 2.0, rtol=1e-12)
    assert first @ second / 4 == pytest.approx(correlation, abs=1e-9)


def test_weights_without_correlation_are_orthonormal() -> None:
    w = simulate_mmoe_synthetic(MMoESyntheticConfig(n_rows=1, correlation=0.0)).w
    np.testing.assert_allclose(w @ w.T, np.eye(2), atol=1e-12)


@pytest.mark.parametrize(("correlation", "expected"), LABEL_PEARSON.items())
def test_labels_correlate_as_computed_elsewhere(correlation: float, expected: float) -> None:
    draws = [
        simulate_mmoe_synthetic(MMoESyntheticConfig(correlation=correlation, seed=seed)).y
        for seed in range(3)
    ]
    pearson = np.mean([np.corrcoef(y.T)[0, 1] for y in draws])
    assert pearson == pytest.approx(expected, abs=0.02)


def test_linear_labels_correlate_slightly_less_than_the_weights() -> None:
    config = MMoESyntheticConfig(n_rows=200_000, dim=4, correlation=0.5, alpha=(), beta=())
    y = simulate_mmoe_synthetic(config).y
    assert np.corrcoef(y.T)[0, 1] == pytest.approx(0.5 / 1.01, abs=0.006)


def test_noise_has_a_variance_of_one_hundredth() -> None:
    config = MMoESyntheticConfig(n_rows=50_000, dim=10)
    data = simulate_mmoe_synthetic(config)
    linear = data.x @ data.w.T
    sines = [np.sin(a * linear + b) for a, b in zip(config.alpha, config.beta, strict=True)]
    noise = data.y - linear - np.sum(sines, axis=0)
    np.testing.assert_allclose(noise.var(axis=0), 0.01, rtol=0.03)
    assert abs(np.corrcoef(noise.T)[0, 1]) < 0.02


def test_same_seed_gives_the_same_rows_and_another_seed_others() -> None:
    one, again, other = (
        simulate_mmoe_synthetic(MMoESyntheticConfig(n_rows=5, seed=seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.x, again.x)
    np.testing.assert_array_equal(one.y, again.y)
    assert not np.array_equal(one.y, other.y)


def test_sines_of_unequal_number_are_refused() -> None:
    with pytest.raises(ValueError, match="`alpha` and `beta` must be equally long, got 1 and 4"):
        simulate_mmoe_synthetic(MMoESyntheticConfig(alpha=(1.0,)))

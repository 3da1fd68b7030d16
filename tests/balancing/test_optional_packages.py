"""Balancers whose packages are not installed."""

from importlib.util import find_spec

import pytest

from paretorank.balancing import (
    CAGradConfig,
    CRMOGMConfig,
    DualProjConfig,
    NashMTLConicConfig,
    UPGradConfig,
    optional_packages,
)
from paretorank.balancing.gradient_balancer import GradientSection
from paretorank.foundation.errors import ConfigError
from tests.balancing.gradients import build, draw, weights_of

SOLVERS = {"cvxpy", "clarabel", "ecos", "qpsolvers", "quadprog"}


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(name: str) -> object:
        return None if name in SOLVERS else find_spec(name)

    monkeypatch.setattr(optional_packages, "find_spec", find)
    monkeypatch.setattr("torchjd._mixins.find_spec", find)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("config", "package"),
    [
        (NashMTLConicConfig(), "cvxpy, ecos"),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    config: GradientSection, package: str
) -> None:
    with pytest.raises(ConfigError, match=f"balancer.kind.*needs {package}") as caught:
        build(config, 2)
    assert caught.value.hint == 'pip install "paretorank[balancers]"'


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    "config", [UPGradConfig(), DualProjConfig(), CAGradConfig(), CRMOGMConfig()]
)
def test_the_default_choices_need_no_further_package(config: GradientSection) -> None:
    if isinstance(config, CRMOGMConfig):
        assert build(config, 3).inner.n_failures == 0
    else:
        assert weights_of(config, draw(3)).isfinite().all()

"""What can be imported, from where."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import paretorank

SOURCE = Path(paretorank.__file__).parent
PACKAGES = sorted(
    module.name
    for module in pkgutil.walk_packages([str(SOURCE)], prefix="paretorank.")
    if module.ispkg
)
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages([str(SOURCE)], prefix="paretorank.")
    if not module.name.endswith("__main__")
)


def test_the_top_of_the_package_offers_exactly_this() -> None:
    assert paretorank.__all__ == ["ParetorankError", "Ranker", "__version__"]
    assert all(hasattr(paretorank, name) for name in paretorank.__all__)


def sort_key(name: str) -> tuple[int, str]:
    """Constants first, then classes, then the rest, as the linter sorts."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2
    return kind, name


@pytest.mark.parametrize("name", PACKAGES)
def test_every_name_that_a_package_offers_exists_and_stands_in_order(name: str) -> None:
    module = importlib.import_module(name)
    names = getattr(module, "__all__", None)
    imported = {
        alias.asname or alias.name
        for node in ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("paretorank")
        for alias in node.names
    }
    if names is None:
        assert not imported, "imports without `__all__`"
        return
    assert len(names) == len(set(names))
    assert names == sorted(names, key=sort_key)
    assert all(hasattr(module, offered) for offered in names)
    assert imported <= set(names), "imported but not offered"


@pytest.mark.parametrize("name", MODULES)
def test_every_module_can_be_imported(name: str) -> None:
    importlib.import_module(name)


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_package_loads_neither_torch_nor_polars() -> None:
    run("import paretorank, sys; assert not {'torch', 'polars', 'pydantic'} & set(sys.modules)")


@pytest.mark.parametrize(
    "package",
    [
        "foundation",
        "schema",
        "metrics",
        "datasets",
        "fusion",
        "pareto",
        "calibration",
        "off_policy",
    ],
)
def test_packages_that_do_not_compute_with_tensors_do_not_load_torch(package: str) -> None:
    run(f"import paretorank.{package}, sys; assert 'torch' not in sys.modules")

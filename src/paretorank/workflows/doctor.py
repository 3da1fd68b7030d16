"""What is installed, what the machine has, and what is wrong with either."""

import importlib
import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Status = Literal["ok", "warn", "wrong"]

_PYTHON = (3, 11)
_REQUIRED = {
    "torch": (2, 10),
    "polars": (1, 30),
    "numpy": (2, 0),
    "pyarrow": (17,),
    "pydantic": (2, 10),
    "safetensors": (0, 5),
    "scipy": (1, 13),
    "torchjd": (0, 18),
    "jaxtyping": (0, 3),
    "rich": (13, 7),
    "typer": (0, 15),
    "tensorboard": (2, 18),
}
_TORCH_BELOW = (2, 14)
_OPTIONAL = {"pandas": "to pass pandas frames", "lightgbm": "for the benchmarks"}
_FREE_DISK = 5 << 30
_MEMORY = 2 << 30
_SHARED = 64 << 20
_GIB = 1 << 30


@dataclass(frozen=True)
class Check:
    """One line of the diagnosis."""

    name: str
    status: Status
    """warn: works, but worse than it could; wrong: something required does not work."""
    value: str
    remedy: str = ""


def diagnose(folder: Path = Path()) -> list[Check]:
    """Look at Python, the packages, the processor, the memory and the folder to work in."""
    checks = [_python(), *_packages(), *_optional(), _accelerator(), _processors(), _waiting()]
    return [*checks, *_memory(), _writable(folder), _disk(folder)]


def _python() -> Check:
    good = sys.version_info[:2] >= _PYTHON
    remedy = "" if good else f"Use Python {_PYTHON[0]}.{_PYTHON[1]} or later."
    value = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Check("python", "ok" if good else "wrong", value, remedy)


def _packages() -> list[Check]:
    checks = []
    for name, least in _REQUIRED.items():
        version = _version(name)
        needed = ".".join(map(str, least))
        if version is None:
            remedy = f"pip install '{name}>={needed}'"
            checks.append(Check(name, "wrong", "not installed", remedy))
            continue
        failure = _import_failure(name)
        if failure:
            checks.append(Check(name, "wrong", f"{version}, but {failure}", "Install it anew."))
        elif _numbers(version) < least:
            remedy = f"pip install '{name}>={needed}'"
            checks.append(Check(name, "wrong", f"{version}, older than {needed}", remedy))
        elif name == "torch" and _numbers(version)[:2] >= _TORCH_BELOW:
            checks.append(Check(name, "warn", f"{version}, not tested", "pip install 'torch<2.14'"))
        else:
            checks.append(Check(name, "ok", version))
    return checks


def _optional() -> list[Check]:
    return [
        Check(name, "ok", _version(name) or f"not installed; only needed {why}")
        for name, why in _OPTIONAL.items()
    ]


def _accelerator() -> Check:
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        return Check("accelerator", "ok", "none, for want of torch")
    if torch.cuda.is_available():
        return Check("accelerator", "ok", str(torch.cuda.get_device_name(0)))
    return Check("accelerator", "ok", "none; training runs on the processor")


def _processors() -> Check:
    usable = _usable_processors()
    threads = os.environ.get("OMP_NUM_THREADS", "")
    value = f"{usable} usable" + (f", OMP_NUM_THREADS = {threads}" if threads else "")
    if threads.isdigit() and int(threads) > usable:
        return Check("processors", "warn", value, f"Set OMP_NUM_THREADS to at most {usable}.")
    return Check("processors", "ok", value)


def _waiting() -> Check:
    policy = os.environ.get("OMP_WAIT_POLICY", "")
    if policy.upper() == "PASSIVE":
        return Check("OMP_WAIT_POLICY", "ok", policy)
    remedy = "Set OMP_WAIT_POLICY=PASSIVE before torch is imported: threads then do not spin."
    return Check("OMP_WAIT_POLICY", "warn", policy or "not set", remedy)


def _memory() -> list[Check]:
    checks = []
    free = _available_memory()
    if free is not None:
        remedy = "" if free >= _MEMORY else "Close other programs; a million rows take about 2 GB."
        checks.append(Check("memory", "ok" if not remedy else "warn", _gib(free) + " free", remedy))
    shared = Path("/dev/shm")  # noqa: S108 - looked at, not written to
    if shared.is_dir():
        size = shutil.disk_usage(shared).free
        remedy = "" if size >= _SHARED else "Give the container more, such as --shm-size=1g."
        status: Status = "ok" if not remedy else "warn"
        checks.append(Check("shared memory", status, _gib(size) + " free", remedy))
    return checks


def _writable(folder: Path) -> Check:
    place = folder.absolute()
    try:
        with tempfile.NamedTemporaryFile(dir=place):
            return Check("folder", "ok", f"{place} can be written")
    except OSError as error:
        value = f"{place} cannot be written: {error.strerror}"
        return Check("folder", "wrong", value, "Change to a folder of your own.")


def _disk(folder: Path) -> Check:
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Check("disk", "wrong", str(error.strerror), "Give a folder that exists.")
    remedy = "" if free >= _FREE_DISK else "Make room: prepared data take about as much as the log."
    return Check("disk", "ok" if not remedy else "warn", _gib(free) + " free", remedy)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _import_failure(module: str) -> str:
    try:
        importlib.import_module(module)
    except (ImportError, OSError) as error:
        return f"cannot be imported: {str(error).splitlines()[0] if str(error) else error!r}"
    return ""


def _numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: 2.13.0+cpu is (2, 13, 0)."""
    found = []
    for part in version.split("+", maxsplit=1)[0].split("."):
        if not part.isdigit():
            break
        found.append(int(part))
    return tuple(found)


def _usable_processors() -> int:
    affinity: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def _available_memory() -> int | None:
    """Return the bytes that programs can still have, or None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _gib(size: int) -> str:
    return f"{size / _GIB:.1f} GiB"

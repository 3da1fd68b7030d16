"""Save and resume: one safetensors file holds every tensor and, in its header, the position."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from paretorank.foundation.errors import RunError
from paretorank.foundation.files import atomic_path

_DIGEST = "digest"


@dataclass(frozen=True)
class Checkpoint:
    """Tensors by path, and a small JSON value that says where they were taken."""

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors below a path, with the path cut off."""
        start = f"{prefix}/"
        return {n.removeprefix(start): t for n, t in self.tensors.items() if n.startswith(start)}


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a whole checkpoint or nothing."""
    tensors = {name: tensor.detach().contiguous() for name, tensor in checkpoint.tensors.items()}
    facts = {**checkpoint.facts, _DIGEST: _digest(tensors)}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"facts": json.dumps(facts)})


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        RunError: there is none, or it is damaged: torn, or with other numbers than were saved.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            facts = json.loads((file.metadata() or {}).get("facts", "{}"))
    except FileNotFoundError:
        raise RunError(f"{path} does not exist.", hint="Train first.") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise RunError(f"{path} is damaged: {error}.", hint="Train again.") from None
    if facts.pop(_DIGEST, None) not in {None, _digest(tensors)}:
        raise RunError(
            f"{path} is damaged: its numbers are not those that were saved.", hint="Train again."
        )
    return Checkpoint(tensors, facts)


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors with a path in front of their names."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.cpu().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()

"""Which parameter is stepped how: dense, tables, wide table, balancer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from paretorank.model.ranker import MultiTaskRanker
from paretorank.training.dense_adam import DenseAdam
from paretorank.training.row_optimizers import RowAdagrad, RowAdam
from paretorank.training.settings import TrainingConfig


@dataclass(frozen=True)
class Optimizers:
    """Every optimizer of a run by name, and the full learning rate of each group."""

    by_name: Mapping[str, torch.optim.Optimizer]
    clipped: tuple[nn.Parameter, ...]

    def set_rate(self, factor: float) -> None:
        """Scale the learning rates; those of the balancer stay."""
        for name, optimizer in self.by_name.items():
            for group in optimizer.param_groups:
                group["lr"] = group["full_lr"] * (1.0 if name == "balancer" else factor)

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for optimizer in self.by_name.values():
            optimizer.zero_grad(set_to_none=True)

    def step(self, clip_norm: float) -> None:
        """Shorten the dense gradient if it is too long (0: never), then step everything."""
        if clip_norm > 0:
            nn.utils.clip_grad_norm_(self.clipped, clip_norm)
        for optimizer in self.by_name.values():
            optimizer.step()

    def state(self) -> dict[str, Tensor]:
        """Return all moments as flat tensors."""
        return {
            f"{name}/{index}/{key}": torch.as_tensor(value)
            for name, optimizer in self.by_name.items()
            for index, entry in optimizer.state_dict()["state"].items()
            for key, value in entry.items()
        }

    @property
    def kinds(self) -> dict[str, str]:
        """Return which optimizer each group has."""
        return {name: type(optimizer).__name__ for name, optimizer in self.by_name.items()}

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over moments that `state` returned."""
        for name, optimizer in self.by_name.items():
            content = optimizer.state_dict()
            state: dict[int, dict[str, Tensor]] = {}
            for path, tensor in tensors.items():
                owner, index, key = path.split("/")
                if owner == name:
                    state.setdefault(int(index), {})[key] = tensor
            optimizer.load_state_dict({**content, "state": state})


def build_optimizers(
    config: TrainingConfig, model: MultiTaskRanker, balancer: nn.Module
) -> Optimizers:
    """Group the parameters of model and balancer."""
    tables = {id(p) for p in (*model.embedding_parameters(), *model.wide_parameters())}
    dense = {name: p for name, p in model.named_parameters() if id(p) not in tables}
    by_name: dict[str, torch.optim.Optimizer] = {
        "dense": DenseAdam(_dense_groups(config, dense, model), lr=config.learning_rate)
    }
    row_optimizer = RowAdam if config.embedding_optimizer == "adam" else RowAdagrad
    if embeddings := model.embedding_parameters():
        by_name["tables"] = row_optimizer(embeddings, lr=config.embedding_learning_rate)
    if wide := model.wide_parameters():
        by_name["wide"] = row_optimizer(wide, lr=config.wide_learning_rate)
    if own := list(balancer.parameters()):
        by_name["balancer"] = DenseAdam(own, lr=config.balancer_learning_rate)
    for optimizer in by_name.values():
        for group in optimizer.param_groups:
            group["full_lr"] = group["lr"]
    return Optimizers(by_name, tuple(dense.values()))


def _dense_groups(
    config: TrainingConfig, dense: Mapping[str, nn.Parameter], model: MultiTaskRanker
) -> list[dict[str, Any]]:
    """Return what decays, what does not, and what has a learning rate of its own; none is empty."""
    factors = {id(p): factor for p, factor in model.architecture.rate_factors()}
    plain = {name: p for name, p in dense.items() if id(p) not in factors}
    decayed = {name for name, p in plain.items() if p.dim() > 1 and "bias" not in name}
    groups: list[dict[str, Any]] = [
        {"params": [plain[n] for n in plain if n in decayed], "weight_decay": config.weight_decay},
        {"params": [plain[n] for n in plain if n not in decayed], "weight_decay": 0.0},
    ]
    groups += [
        {
            "params": [p for p in dense.values() if factors.get(id(p)) == factor],
            "weight_decay": 0.0,
            "lr": config.learning_rate * factor,
        }
        for factor in sorted(set(factors.values()))
    ]
    return [group for group in groups if group["params"]]

"""TorchJD's own road from losses to gradients, on a plain PyTorch network of our shape.

The network reads the inputs that our embedding tables make; what lies below is trained in none of
its steps, so only the dense part is compared. At the representation the Jacobian is taken at the
experts; at the parameters `mtl_backward` takes it at all parameters of the experts.
"""

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torchjd.aggregation import UPGrad
from torchjd.autojac import jac, jac_to_grad, mtl_backward

from paretorank.data.batch import Batch
from paretorank.model import MultiTaskRanker

EXPERT_DIMS, N_EXPERTS, TOWER_DIM = (256, 128), 8, 64


class PlainNetwork(nn.Module):
    """A multi-gate mixture of experts out of module lists, as one writes it."""

    def __init__(self, model: MultiTaskRanker, batches: Sequence[Batch]) -> None:
        super().__init__()
        with torch.no_grad():
            inputs = [model.bank.inputs(batch)[0] for batch in batches]
        self._rows = [(x, batch.labels) for x, batch in zip(inputs, batches, strict=True)]
        n_tasks, width = len(model.task_names), model.bank.out_dim
        dims = (width, *EXPERT_DIMS)
        self.experts = nn.ModuleList(
            nn.Sequential(
                *(
                    layer
                    for d, h in itertools.pairwise(dims)
                    for layer in (nn.Linear(d, h), nn.ReLU())
                )
            )
            for _ in range(N_EXPERTS)
        )
        self.gates = nn.ModuleList(nn.Linear(width, N_EXPERTS, bias=False) for _ in range(n_tasks))
        self.towers = nn.ModuleList(
            nn.Sequential(nn.Linear(dims[-1], TOWER_DIM), nn.ReLU(), nn.Linear(TOWER_DIM, 1))
            for _ in range(n_tasks)
        )
        self._optimizer = torch.optim.AdamW(self.parameters(), lr=1e-3, fused=True)
        self._aggregator = UPGrad()

    def steps(self) -> dict[str, Callable[[int], object]]:
        """Return the plain sum, and the two places."""
        return {
            "TorchJD: plain sum": lambda at: self._step(at, self._plain),
            "TorchJD: UPGrad, representation": lambda at: self._step(at, self._at_representation),
            "TorchJD: UPGrad, parameters": lambda at: self._step(at, self._at_parameters),
        }

    def _step(self, at: int, descend: Callable[[Tensor, list[Tensor]], None]) -> None:
        self._optimizer.zero_grad()
        x, labels = self._rows[at % len(self._rows)]
        experts = torch.stack([expert(x) for expert in self.experts], dim=1)
        losses = []
        for task, (gate, tower) in enumerate(zip(self.gates, self.towers, strict=True)):
            mixture = (gate(x).softmax(dim=1).unsqueeze(1) @ experts).squeeze(1)
            losses.append(
                binary_cross_entropy_with_logits(tower(mixture).squeeze(1), labels[:, task])
            )
        descend(experts, losses)
        self._optimizer.step()

    @staticmethod
    def _plain(_: Tensor, losses: list[Tensor]) -> None:
        torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]

    def _at_representation(self, experts: Tensor, losses: list[Tensor]) -> None:
        (jacobian,) = jac(losses, [experts], retain_graph=True)
        direction = self._aggregator(jacobian.flatten(1)).view_as(experts)
        own = [*self.gates.parameters(), *self.towers.parameters()]
        torch.stack(losses).sum().backward(inputs=own, retain_graph=True)  # type: ignore[no-untyped-call]
        experts.backward(direction)  # type: ignore[no-untyped-call]

    def _at_parameters(self, experts: Tensor, losses: list[Tensor]) -> None:
        shared = list(self.experts.parameters())
        mtl_backward(losses, features=experts, shared_params=shared)
        jac_to_grad(shared, self._aggregator)

"""torch-rechub: its model and its trainer's optimizer, stepped on tensors that are in memory.

python rechub.py FOLDER mmoe|ple|shared_bottom [BATCH]
"""

import numpy as np
import torch
from setting import (
    BATCH,
    BOTTOM_DIMS,
    EMBEDDING_DIM,
    EXPERT_DIMS,
    LABELS,
    LEARNING_RATE,
    MODEL,
    N_BATCHES,
    N_EXPERTS,
    N_SHARED_EXPERTS,
    N_TASK_EXPERTS,
    STEPS_PER_TURN,
    TOWER_DIMS,
    cardinalities,
    columns,
    numbers,
)
from torch_rechub.basic.features import DenseFeature, SparseFeature
from torch_rechub.models.multi_task import MMOE, PLE, SharedBottom
from torch_rechub.trainers import MTLTrainer
from turns import take_turns

torch.set_num_threads(2)
torch.manual_seed(0)
sizes = cardinalities()
features = [SparseFeature(n, vocab_size=size, embed_dim=EMBEDDING_DIM) for n, size in sizes.items()]
features += [DenseFeature(name) for name in numbers()]
kinds = ["classification"] * len(LABELS)
towers = [{"dims": TOWER_DIMS} for _ in LABELS]
if MODEL == "mmoe":
    model = MMOE(features, kinds, N_EXPERTS, {"dims": EXPERT_DIMS}, towers)
elif MODEL == "ple":
    counts = {"n_expert_specific": N_TASK_EXPERTS, "n_expert_shared": N_SHARED_EXPERTS}
    experts = {"expert_params": {"dims": EXPERT_DIMS}, "tower_params_list": towers}
    model = PLE(features, kinds, n_level=1, **counts, **experts)
else:
    model = SharedBottom(features, kinds, {"dims": BOTTOM_DIMS}, towers)
trainer = MTLTrainer(model, task_types=kinds, optimizer_params={"lr": LEARNING_RATE}, n_epoch=1)
rows = columns("train", BATCH * N_BATCHES)
inputs = [
    {n: torch.as_tensor(rows[n][i * BATCH : (i + 1) * BATCH].copy()) for n in [*sizes, *numbers()]}
    for i in range(N_BATCHES)
]
labels = torch.as_tensor(np.stack([rows[name] for name in LABELS], axis=1)).float()
model.train()


def step(at: int) -> None:
    """Do what the trainer does for one batch."""
    i = at % N_BATCHES
    scores, batch = model(inputs[i]), labels[i * BATCH : (i + 1) * BATCH]
    loss = sum(trainer.loss_fns[k](scores[:, k], batch[:, k]) for k in range(len(LABELS)))
    model.zero_grad()
    (loss / len(LABELS)).backward()
    trainer.optimizer.step()


take_turns(step, BATCH, STEPS_PER_TURN)

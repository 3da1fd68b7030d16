"""DeepCTR-Torch: its model, losses and optimizer, stepped on tensors that are in memory.

python deepctr.py FOLDER mmoe|shared_bottom [BATCH]
"""

import numpy as np
import torch
from deepctr_torch.inputs import DenseFeat, SparseFeat
from deepctr_torch.models.multitask import MMOE, SharedBottom
from setting import (
    BATCH,
    BOTTOM_DIMS,
    EMBEDDING_DIM,
    EXPERT_DIMS,
    LABELS,
    MODEL,
    N_BATCHES,
    N_EXPERTS,
    STEPS_PER_TURN,
    TOWER_DIMS,
    cardinalities,
    columns,
    numbers,
)
from turns import take_turns

torch.set_num_threads(2)
sizes = cardinalities()
inputs = [SparseFeat(n, vocabulary_size=s, embedding_dim=EMBEDDING_DIM) for n, s in sizes.items()]
inputs += [DenseFeat(name, 1) for name in numbers()]
shared = {
    "tower_dnn_hidden_units": TOWER_DIMS,
    "task_types": ["binary"] * len(LABELS),
    "task_names": list(LABELS),
    "device": "cpu",
}
if MODEL == "mmoe":
    experts = {"num_experts": N_EXPERTS, "expert_dnn_hidden_units": EXPERT_DIMS}
    model = MMOE(inputs, gate_dnn_hidden_units=(), **experts, **shared)
else:
    model = SharedBottom(inputs, bottom_dnn_hidden_units=BOTTOM_DIMS, **shared)
losses = ["binary_crossentropy"] * len(LABELS)
model.compile("adam", loss=losses, metrics=["binary_crossentropy"])
rows = columns("train", BATCH * N_BATCHES)
stacked = [rows[name].astype(np.float32) for name in [*sizes, *numbers()]]
x = torch.from_numpy(np.stack(stacked, axis=1))
y = torch.from_numpy(np.stack([rows[n] for n in LABELS], axis=1).astype(np.float32))
model.train()


def step(at: int) -> None:
    """Do what its `fit` does for one batch."""
    i = at % N_BATCHES
    scores, labels = model(x[i * BATCH : (i + 1) * BATCH]), y[i * BATCH : (i + 1) * BATCH]
    model.optim.zero_grad()
    terms = [model.loss_func[k](scores[:, k], labels[:, k], reduction="sum") for k in range(2)]
    (sum(terms) + model.get_regularization_loss() + model.aux_loss).backward()
    model.optim.step()


take_turns(step, BATCH, STEPS_PER_TURN)

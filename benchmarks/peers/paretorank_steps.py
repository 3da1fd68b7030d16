"""paretorank: what one training step does, on batches that are in memory.

python paretorank_steps.py FOLDER mmoe|ple|shared_bottom [BATCH]
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import itertools

import torch
from setting import (
    BATCH,
    BOTTOM_DIMS,
    EXPERT_DIMS,
    FOLDER,
    MODEL,
    N_BATCHES,
    N_SHARED_EXPERTS,
    N_TASK_EXPERTS,
    STEPS_PER_TURN,
)
from turns import take_turns

from paretorank.config import load_config
from paretorank.data.loader import Loader
from paretorank.foundation.memory import keep_freed_memory
from paretorank.training.optimizers import build_optimizers
from paretorank.training.step import backward_step
from paretorank.workflows.ingest import prepare
from paretorank.workflows.train import build

torch.set_num_threads(2)
keep_freed_memory()
settings = [f"training.batch_size={BATCH}"]
if MODEL == "shared_bottom":
    settings.append(f"model.architecture={{kind='shared_bottom', hidden_dims={BOTTOM_DIMS}}}")
if MODEL == "ple":
    counts = f"n_task_experts={N_TASK_EXPERTS}, n_shared_experts={N_SHARED_EXPERTS}"
    kind = f"kind='ple', n_levels=1, {counts}, expert_dims={EXPERT_DIMS}"
    settings.append(f"model.architecture={{{kind}}}")
config = load_config(FOLDER / "workload.toml", settings)
train = prepare(config).split("train")
model, balancer = build(config, train)
optimizers = build_optimizers(config.training, model, balancer)
weights = torch.ones(len(config.tasks))
loader = Loader(train, batch_size=BATCH)
batches = list(itertools.islice(loader.in_order(), N_BATCHES))
model.train()


def step(at: int) -> None:
    """Do what the trainer does for one batch."""
    optimizers.zero_grad()
    backward_step(model, balancer, weights, batches[at % N_BATCHES], place=f"step {at}")
    optimizers.step(config.training.clip_norm)


take_turns(step, BATCH, STEPS_PER_TURN)

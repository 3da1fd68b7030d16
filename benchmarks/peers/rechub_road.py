"""torch-rechub from Parquet to test AUC, with its data generator and its trainer.

python rechub_road.py FOLDER SEED OUT
"""

import torch
from road_setting import (
    BATCH,
    EMBEDDING_DIM,
    EXPERT_DIMS,
    LABELS,
    LEARNING_RATE,
    N_EXPERTS,
    NUMBERS,
    OUT,
    SEED,
    TOWER_DIMS,
    TRAIN,
    VALID,
    encode_labels,
    keep,
    labels_of,
    of_part,
    read,
    stage,
)
from torch_rechub.basic.features import DenseFeature, SparseFeature
from torch_rechub.models.multi_task import MMOE
from torch_rechub.trainers import MTLTrainer
from torch_rechub.utils.data import DataGenerator

torch.set_num_threads(2)
torch.manual_seed(SEED)
with stage("prepare"):
    log, test = read("train"), read("test")
    sizes = encode_labels(log, test)
    train, valid = of_part(log, TRAIN), of_part(log, VALID)
    names = [*sizes, *NUMBERS]
    inputs = [{name: rows[name] for name in names} for rows in (train, valid, test)]
    train_batches, valid_batches, test_batches = DataGenerator(
        inputs[0], labels_of(train)
    ).generate_dataloader(
        x_val=inputs[1],
        y_val=labels_of(valid),
        x_test=inputs[2],
        y_test=labels_of(test),
        batch_size=BATCH,
    )
with stage("train"):
    features = [SparseFeature(n, vocab_size=s, embed_dim=EMBEDDING_DIM) for n, s in sizes.items()]
    features += [DenseFeature(name) for name in NUMBERS]
    kinds = ["classification"] * len(LABELS)
    towers = [{"dims": TOWER_DIMS} for _ in LABELS]
    model = MMOE(features, kinds, N_EXPERTS, {"dims": EXPERT_DIMS}, towers)
    trainer = MTLTrainer(
        model,
        task_types=kinds,
        optimizer_params={"lr": LEARNING_RATE},
        n_epoch=1,
        model_path=str(OUT),
    )
    trainer.fit(train_batches, valid_batches, seed=SEED)
with stage("evaluate"):
    auc = trainer.evaluate(trainer.model, test_batches)
keep(auc)

"""DeepCTR-Torch from Parquet to test AUC, with its `fit` and `predict`.

python deepctr_road.py FOLDER SEED OUT
"""

import numpy as np
import torch
from deepctr_torch.inputs import DenseFeat, SparseFeat, get_feature_names
from deepctr_torch.models.multitask import MMOE
from road_setting import (
    BATCH,
    EMBEDDING_DIM,
    EXPERT_DIMS,
    LABELS,
    N_EXPERTS,
    NUMBERS,
    SEED,
    TOWER_DIMS,
    TRAIN,
    encode_labels,
    keep,
    labels_of,
    of_part,
    read,
    stage,
)
from sklearn.metrics import roc_auc_score

torch.set_num_threads(2)
with stage("prepare"):
    log, test = read("train"), read("test")
    sizes = encode_labels(log, test)
    train = of_part(log, TRAIN)
    columns = [SparseFeat(n, size, embedding_dim=EMBEDDING_DIM) for n, size in sizes.items()]
    columns += [DenseFeat(name, 1) for name in NUMBERS]
    names = get_feature_names(columns)
with stage("train"):
    model = MMOE(
        columns,
        num_experts=N_EXPERTS,
        expert_dnn_hidden_units=EXPERT_DIMS,
        gate_dnn_hidden_units=(),
        tower_dnn_hidden_units=TOWER_DIMS,
        task_types=["binary"] * len(LABELS),
        task_names=list(LABELS),
        seed=SEED,
        device="cpu",
    )
    # Its metrics per epoch pool the tasks and cost a pass of scikit-learn over all rows; none here.
    model.compile("adam", loss=["binary_crossentropy"] * len(LABELS), metrics=[])
    inputs = {name: train[name] for name in names}
    model.fit(inputs, labels_of(train).astype(np.float32), batch_size=BATCH, epochs=1, verbose=2)
with stage("evaluate"):
    scores = model.predict({name: test[name] for name in names}, batch_size=BATCH)
    auc = [roc_auc_score(test[name], scores[:, at]) for at, name in enumerate(LABELS)]
keep(auc)
